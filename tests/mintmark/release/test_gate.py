"""The gate: which set is released, what stops it, and which rule to work on."""

import itertools
import json
from dataclasses import replace

import pytest

from mintmark.release.gate import Policy, judge


def conclusive(audit, **threats):
    return replace(audit, facts={**audit.facts, "conclusive": {**audit.facts["conclusive"], **threats}})


def work_on(verdict):
    assert verdict.work_on is not None
    return verdict.work_on


def test_the_most_wanted_set_is_released_when_every_rule_passes(policy, reports):
    verdict = judge(policy, reports)
    assert verdict.released
    assert verdict.set == ("samples", "classifier")
    assert all(finding.passed for finding in verdict.findings)
    assert verdict.work_on is None


def test_a_leaking_classifier_is_withheld_and_the_samples_go_out(policy, reports, measured):
    audit = measured(reports["audit"], "classifier_tpr_bound", value=0.051)
    verdict = judge(policy, {**reports, "audit": audit})
    assert verdict.set == ("samples",)
    assert verdict.sets[0].broken == ("attacks on the classifier name few members",)
    assert verdict.as_json()["withheld"] == ["classifier"]


def test_leaking_samples_hold_everything_back(policy, reports, measured):
    audit = measured(reports["audit"], "samples_auc_bound", value=0.61)
    verdict = judge(policy, {**reports, "audit": audit})
    assert not verdict.released
    assert verdict.set is None


DECIDING = [
    ("evaluate", "share_difference"),
    ("anonymise", "near_copies_left"),
    ("release", "real_records_found"),
    ("audit", "samples_auc_bound"),
    ("audit", "samples_tpr_bound"),
    ("audit", "samples_detection_floor"),
]


@pytest.mark.parametrize(("stage", "name"), DECIDING)
def test_a_missing_measurement_never_passes(policy, reports, measured, stage: str, name: str):
    assert not judge(policy, {**reports, stage: measured(reports[stage], name)}).released


@pytest.mark.parametrize(("stage", "name"), DECIDING)
def test_a_null_measurement_never_passes(policy, reports, measured, stage: str, name: str):
    nothing = measured(reports[stage], name, value=None, low=None, high=None)
    verdict = judge(policy, {**reports, stage: nothing})
    assert not verdict.released
    assert work_on(verdict).why.startswith("without a measurement")


@pytest.mark.parametrize(("stage", "name"), DECIDING)
def test_a_missing_report_never_passes(policy, reports, stage: str, name: str):
    assert not judge(policy, {key: one for key, one in reports.items() if key != stage}).released


@pytest.mark.parametrize(
    ("stage", "name", "numbers"),
    [
        ("evaluate", "share_difference", {"low": -0.0501}),
        ("anonymise", "near_copies_left", {"value": 1.0}),
        ("release", "real_records_found", {"value": 1.0}),
        ("audit", "samples_auc_bound", {"value": 0.601}),
        ("audit", "samples_tpr_bound", {"value": 0.051}),
        ("audit", "samples_detection_floor", {"value": 0.101}),
    ],
)
def test_each_default_limit_decides(policy, reports, measured, stage: str, name: str, numbers: dict):
    verdict = judge(policy, {**reports, stage: measured(reports[stage], name, **numbers)})
    assert not verdict.released
    assert [finding.rule.measurement for finding in verdict.findings if not finding.passed] == [name]


def test_an_inconclusive_audit_of_the_samples_never_passes(policy, reports):
    verdict = judge(policy, {**reports, "audit": conclusive(reports["audit"], samples=False)})
    assert not verdict.released
    assert work_on(verdict).rule == "the audit of the synthetic data can be trusted"


def test_an_inconclusive_audit_of_the_classifier_withholds_it(policy, reports):
    verdict = judge(policy, {**reports, "audit": conclusive(reports["audit"], classifier=False)})
    assert verdict.set == ("samples",)


@pytest.mark.parametrize(
    ("word", "released"), [("hurts", True), ("within margin", True), ("inconclusive", False), (None, False)]
)
def test_sharing_needs_a_comparison_that_settled_something(policy, reports, word, released):
    evaluate = replace(reports["evaluate"], verdict=word)
    assert judge(policy, {**reports, "evaluate": evaluate}).released is released


@pytest.mark.parametrize(
    ("word", "released"),
    [("helps", True), ("within margin", False), ("no evidence", False), ("hurts", False), ("inconclusive", False)],
)
def test_augmenting_needs_data_that_help(policy, reports, word: str, released):
    evaluate = replace(reports["evaluate"], verdict=word)
    assert judge(replace(policy, purpose="augment"), {**reports, "evaluate": evaluate}).released is released


@pytest.mark.parametrize(("word", "withheld"), [("helps", []), ("no evidence", ["classifier"]), (None, ["classifier"])])
def test_augmenting_needs_a_classifier_that_owes_something_to_the_synthetic_data(policy, reports, word, withheld):
    evaluate = replace(reports["evaluate"], verdict="helps", facts={"classifier": {"verdict": word}})
    verdict = judge(replace(policy, purpose="augment"), {**reports, "evaluate": evaluate}).as_json()
    assert verdict["released"]
    assert verdict["withheld"] == withheld


def test_sharing_withholds_a_classifier_that_is_worse_than_one_without_synthetic_data(policy, reports, measured):
    evaluate = measured(reports["evaluate"], "classifier_difference", low=-0.0501)
    verdict = judge(policy, {**reports, "evaluate": evaluate})
    assert verdict.set == ("samples",)
    assert verdict.sets[0].broken == ("the classifier does nearly as well as any made without synthetic data",)


def test_the_margin_of_sharing_does_not_bind_augmentation(policy, reports, measured):
    evaluate = replace(measured(reports["evaluate"], "share_difference", low=-0.9), verdict="helps")
    assert judge(replace(policy, purpose="augment"), {**reports, "evaluate": evaluate}).released


def test_the_answer_on_augmentation_is_given_beside_any_verdict(policy, reports):
    augmentation = judge(policy, reports).augmentation
    assert (augmentation.answer, augmentation.value, augmentation.n) == ("no evidence", 0.002, 539)
    without = {key: one for key, one in reports.items() if key != "evaluate"}
    assert judge(policy, without).augmentation.answer == "not measured"


def test_what_cannot_be_trusted_is_to_be_worked_on_before_what_failed(policy, reports, measured):
    audit = conclusive(measured(reports["audit"], "samples_auc_bound", value=0.9), samples=False)
    evaluate = measured(reports["evaluate"], "share_difference", low=-0.5)
    verdict = judge(policy, {**reports, "audit": audit, "evaluate": evaluate})
    assert work_on(verdict).rule == "the audit of the synthetic data can be trusted"


def test_of_several_failures_the_first_in_the_owners_order_is_to_be_worked_on(policy, reports, measured):
    audit = measured(reports["audit"], "samples_auc_bound", value=0.9)
    evaluate = measured(reports["evaluate"], "share_difference", low=-0.5)
    verdict = judge(policy, {**reports, "audit": audit, "evaluate": evaluate})
    assert work_on(verdict).rule == "the synthetic data can stand in for the real data"
    assert "of 2 in the way" in work_on(verdict).why


def test_the_verdict_does_not_depend_on_the_order_of_the_reports(policy, reports):
    texts = {
        json.dumps(judge(policy, dict(order)).as_json())
        for order in itertools.islice(itertools.permutations(reports.items()), 50)
    }
    assert len(texts) == 1


def test_an_artefact_without_a_rule_on_its_audit_cannot_be_released(policy):
    with pytest.raises(ValueError, match="'generator'"):
        replace(policy, sets=(("samples", "generator"),))
    unaudited = tuple(rule for rule in policy.rules if rule.stage != "audit")
    with pytest.raises(ValueError, match="rules must hold one on the audit"):
        replace(policy, rules=unaudited)


@pytest.mark.parametrize("sets", [(), ((),)])
def test_there_must_be_a_set(policy, sets: tuple):
    with pytest.raises(ValueError, match="sets must name"):
        replace(policy, sets=sets)


def test_two_rules_of_one_name_are_refused(policy):
    with pytest.raises(ValueError, match="names of their own"):
        Policy(purpose="share", rules=policy.rules + policy.rules[:1], sets=policy.sets)
