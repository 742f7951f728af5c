"""The report: bounds over all attacks, rounding to the safe side, controls that reach the verdict, ROC without records."""

import csv
import io
import json

import numpy as np
import pytest

from mintmark.privacy.blind import Blind
from mintmark.privacy.one_run import NOBODY, OneRun
from mintmark.privacy.rates import Scores
from mintmark.privacy.report import Outcome, audit_report
from mintmark.privacy.roc import false_positive_grid, roc_picture, roc_table, true_positive_rates
from mintmark.privacy.subgroups import Group, Groups
from mintmark.privacy.summary import Precision, attack_measurements, gate_measurements, rates_of
from mintmark.privacy.trials import Attacks, Trial

PRECISION = Precision(fpr=0.01, low_fpr=0.001, resamples=400, power=0.9, grid=(0.01, 0.05, 0.2, 1.0), simulations=100)
FAIR = Blind(0.5, 0.45, 0.55, 0.6)


def fair(seed: int) -> Scores:
    rng = np.random.default_rng(seed)
    return Scores(rng.normal(size=400), rng.normal(size=300))


def shifted(seed: int, by: float) -> Scores:
    scores = fair(seed)
    return Scores(scores.members + by, scores.non_members)


def leaky(seed: int) -> Scores:
    scores = fair(seed)
    scores.members[:40] += 50.0
    return scores


def outcome(kind, attacks: Attacks, *, threat: str = "samples", exposed=None) -> Outcome:
    return Outcome(
        Trial(threat=threat, kind=kind, name=f"{kind} one", attack=lambda: attacks, exposed=exposed), attacks
    )


def report(target: Attacks, *, planted: Scores, blind: Blind = FAIR, canaries: OneRun = NOBODY):
    outcomes = [
        outcome("target", target),
        outcome("positive", {"a": planted}, exposed=np.arange(400) < 40),
        *(outcome("negative", {"a": fair(seed)}) for seed in (7, 8)),
    ]
    halves = {name: Group(np.arange(400) % 2 == part, np.arange(300) % 2 == part) for part, name in enumerate("xy")}
    quarters = {f"cluster {part}": Group(np.arange(400) % 4 == part, np.arange(300) % 4 == part) for part in range(4)}
    return audit_report(
        outcomes,
        blind,
        groups={"samples": Groups(classes=halves, clusters=quarters, outliers={})},
        spread=[],
        canaries=canaries,
        precision=PRECISION,
        false_failure=0.01,
        seed=0,
        facts={"records": {"members": 400}},
        cost={},
    )


def test_an_honest_target_has_tight_bounds_and_a_low_floor():
    found = report({"a": fair(0), "b": fair(1)}, planted=leaky(2))
    assert found.verdict == "conclusive"
    assert found.facts["conclusive"] == {"samples": True}
    auc, tpr, floor = (found[f"samples_{name}"].value for name in ("auc_bound", "tpr_bound", "detection_floor"))
    assert auc is not None
    assert tpr is not None
    assert floor is not None
    assert 0.5 < auc < 0.62
    assert 0.0 < tpr < 0.08
    assert floor == 0.05
    assert found["samples_a_auc"].low is not None


@pytest.mark.parametrize("by", [1.0, -1.0])
def test_a_leaking_target_has_wide_bounds_on_either_side(by: float):
    found = report({"a": shifted(0, by), "b": fair(1)}, planted=leaky(2))
    value = found["samples_auc_bound"].value
    assert value is not None
    assert value > 0.75


def test_an_overlooked_plant_and_an_unfair_coin_are_inconclusive():
    assert report({"a": fair(0)}, planted=fair(2)).verdict == "inconclusive"
    assert report({"a": fair(0)}, planted=leaky(2), blind=Blind(0.7, 0.6, 0.8, 0.0002)).verdict == "inconclusive"


def test_a_further_attack_never_lowers_a_bound():
    few = {"samples": {"a": fair(0)}}
    many = {"samples": {"a": fair(0), "b": fair(1)}, "classifier": {"c": fair(3)}}
    bounds = []
    for targets in (few, many):
        rates = rates_of(targets, precision=PRECISION, seed=0)
        found = gate_measurements("samples", rates["samples"], targets["samples"], fpr=0.01, control="x")
        bounds.append([one.value for one in found])
    assert all(low is not None and high is not None and low <= high for low, high in zip(*bounds, strict=True))


def test_rounding_never_makes_a_release_easier():
    targets = {"samples": {"a": fair(0)}}
    rates = rates_of(targets, precision=PRECISION, seed=0)
    found = gate_measurements("samples", rates["samples"], targets["samples"], fpr=0.01, control="x")
    for one, exact in zip(found, (rates["samples"]["a"].auc_bound, rates["samples"]["a"].tpr_bound), strict=True):
        assert one.value is not None
        assert exact is not None
        assert exact <= one.value <= exact + 0.001
        assert one.value == round(one.value, 3)


def test_rates_that_few_non_members_do_not_resolve_have_no_bound():
    rng = np.random.default_rng(0)
    few = Scores(rng.normal(size=80), rng.normal(size=60))
    rates = rates_of({"samples": {"a": few}}, precision=PRECISION, seed=0)
    auc, tpr = gate_measurements("samples", rates["samples"], {"a": few}, fpr=0.01, control="x")
    assert auc.value is not None
    assert tpr.value is None


def test_the_report_is_plain_json():
    found = report({"a": fair(0)}, planted=leaky(2))
    json.dumps([found.facts, dict(found.cost)])
    assert found.facts["negative_control_level"] == 0.005  # one negative control and the blind baseline
    assert found.facts["thresholds"]["samples"]["largest_score_taken"] == 1


def test_roc_by_hand():
    scores = Scores(np.array([9.0, 3.5, 0.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    rates = true_positive_rates(scores, np.array([0.2, 0.25, 0.5, 1.0]))
    assert rates == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1.0])
    assert false_positive_grid(200)[0] == 0.005
    assert false_positive_grid(200)[-1] == 1.0


def test_the_roc_table_is_a_coarse_rising_curve_of_both_sides():
    rows = list(csv.DictReader(io.StringIO(roc_table({"samples": {"a": leaky(0)}}))))
    assert {row["side"] for row in rows} == {"high", "low"}
    assert len(rows) <= 80
    high = [float(row["true_positive_rate"]) for row in rows if row["side"] == "high"]
    assert high == sorted(high)
    assert high[0] >= 0.1
    assert high[-1] == 1.0


def test_the_roc_picture_has_a_panel_a_threat_model_and_logarithmic_axes():
    figure = roc_picture({"samples": {"a": fair(0)}, "classifier": {"b": fair(1)}})
    assert len(figure.axes) == 2
    assert {axis.get_xscale() for axis in figure.axes} == {"log"}


@pytest.mark.parametrize(
    "wrong", [{"fpr": 0.0}, {"power": 1.0}, {"resamples": 0}, {"simulations": 0}, {"grid": (0.2, 0.1)}, {"grid": ()}]
)
def test_a_wrong_precision_is_refused(wrong):
    usual = {"fpr": 0.01, "low_fpr": 0.001, "resamples": 10, "power": 0.9, "grid": (0.1,), "simulations": 10}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Precision(**(usual | wrong))


def test_the_report_looks_behind_averages():
    attacks = {"a": fair(0), "b": shifted(1, 0.0)}
    attacks["b"].members[::2] += 1.5  # the members of x alone
    found = report(attacks, planted=leaky(2))
    closer = found.facts["closer"]["samples"]
    assert closer["chosen"] == "b"
    assert (closer["worst_class"]["group"], closer["worst_class"]["attack"]) == ("x", "b")
    assert closer["worst_cluster"]["group"] in {"cluster 0", "cluster 2"}
    assert found["samples_worst_cluster_auc_bound"].n == 75
    assert closer["outliers"] is None
    bound, whole = found["samples_worst_class_auc_bound"].value, found["samples_b_auc"].value
    assert bound is not None
    assert whole is not None
    assert bound > 0.8 > whole
    assert found["samples_outliers_auc_bound"].value is None
    advantage = found["samples_advantage"]
    assert advantage.low is not None
    assert advantage.low > 0.1
    assert list(found.facts["detected"]) == ["samples_b"]


def test_an_honest_target_detects_nothing_and_has_no_advantage():
    found = report({"a": fair(3), "b": fair(4)}, planted=leaky(2))
    assert found.facts["detected"] == {}
    for name, chance in (("advantage", 0.0), ("set_accuracy", 0.5)):
        one = found[f"samples_{name}"]
        assert one.low is not None
        assert one.high is not None
        assert one.low <= chance <= one.high


def test_the_lower_rate_is_told_only_where_it_is_resolved():
    names = {one.name for one in report({"a": fair(0)}, planted=leaky(2)).measurements}
    assert "samples_a_tpr" in names
    assert "samples_a_rare_tpr" not in names
    rng = np.random.default_rng(0)
    large = Scores(rng.normal(size=400), rng.normal(size=2000))
    rates = rates_of({"samples": {"a": large}}, precision=PRECISION, seed=0)["samples"]
    told = attack_measurements("samples", rates, {"a": large}, precision=PRECISION, control="c")
    assert {"samples_a_rare_tpr", "samples_a_rare_fpr", "samples_a_rare_reversed_tpr"} <= {one.name for one in told}


def test_a_refuted_claim_is_a_contradiction_whatever_else_was_found():
    found = report(
        {"a": fair(3)}, planted=leaky(2), canaries=OneRun((), ("discriminator",), {"discriminator": {"claimed": 1.0}})
    )
    assert found.verdict == "contradiction"
    assert found.facts["conclusive"] == {"samples": False}
    assert found.facts["contradicted"] == ["discriminator"]


def test_the_report_says_how_often_which_leak_would_be_caught():
    caught = report({"a": fair(3)}, planted=leaky(2)).facts["caught"]["samples"]
    assert list(caught) == ["0", "0.001", "0.01", "0.1"]
    assert caught["0"] <= 0.15  # five in a hundred, and three standard errors of a hundred simulations
    assert caught["0"] <= caught["0.01"] <= caught["0.1"]
    assert caught["0.1"] == 1.0
