"""What leaves the house: names on the list, closed words, rounded numbers, enough records."""

import json
from dataclasses import replace

import pytest

from mintmark.evidence import Measurement
from mintmark.release.published import as_expected, publish, publish_verdict

SECRET = "0123456789abcdef0123456789abcdef"


def names(reports, **changes) -> set[str]:
    settings = {"min_records": 20, "decimals": 3} | changes
    return {f"{row['stage']}.{row['name']}" for row in publish(reports, **settings)["measurements"]}


def test_listed_names_go_out_and_others_stay(reports):
    shown = names(reports)
    assert {"evaluate.real_accuracy", "audit.samples_nearest_auc", "audit.samples_auc_bound"} <= shown
    assert "anonymise.threshold" not in shown
    assert not any(name.startswith("train_gan.") for name in shown)


@pytest.mark.parametrize("name", ["samples_worst_record", f"samples_{SECRET}_auc_of", "record_7_distance"])
def test_an_unlisted_measurement_of_the_audit_stays(reports, name: str):
    extra = Measurement(name=name, value=0.1, unit="auc", n=500)
    audit = replace(reports["audit"], measurements=(*reports["audit"].measurements, extra))
    assert name not in json.dumps(publish({"audit": audit}, min_records=1, decimals=3))


def test_an_aggregate_over_too_few_records_is_withheld_and_said_to_be(reports):
    assert "cluster.coverage_min" not in names(reports)  # it rests on 12 records
    assert publish(reports, min_records=20, decimals=3)["withheld"] == ["cluster.coverage_min"]
    assert "cluster.coverage_min" in names(reports, min_records=12)


def test_no_free_text_leaves(reports):
    audit = reports["audit"]
    noted = tuple(replace(one, note=f"record {SECRET}", control=SECRET, unit=SECRET) for one in audit.measurements)
    controls = [
        {"name": SECRET, "threat": "samples", "kind": "positive", "detected": True},
        {"name": "planted", "threat": SECRET, "kind": "positive", "detected": True},
        {"name": "planted", "threat": "samples", "kind": SECRET, "detected": True},
        {"name": "planted", "threat": "samples", "kind": "positive", "detected": True, "by": SECRET},
    ]
    facts = {"conclusive": {"samples": SECRET, SECRET: True, "classifier": True}, "controls": controls, "worst": SECRET}
    text = replace(audit, measurements=noted, verdict=SECRET, facts=facts)
    shown = publish({"audit": text}, min_records=1, decimals=3)
    assert SECRET not in json.dumps(shown)
    assert shown["conclusive"] == {"classifier": True}
    assert shown["controls"] == [
        {"name": "planted", "threat": "samples", "kind": "positive", "by": None, "as_expected": True}
    ]


def test_numbers_are_rounded(reports, released):
    row = next(
        one for one in publish(reports, min_records=1, decimals=1)["measurements"] if one["name"] == "real_accuracy"
    )
    assert (row["value"], row["low"], row["n"]) == (1.0, 1.0, 539)
    rule = publish_verdict(released, decimals=2)["rules"][1]
    assert (rule["value"], rule["low"], rule["limit"]) == (-0.01, -0.02, -0.05)


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ({"kind": "positive", "detected": True}, True),
        ({"kind": "positive", "detected": False}, False),
        ({"kind": "negative", "detected": False}, True),
        ({"kind": "negative", "detected": True}, False),
        ({"kind": "negative", "failed": True}, False),
        ({"kind": "negative", "failed": False}, True),
        ({"kind": "positive"}, None),
    ],
)
def test_a_control_came_out_as_it_should_or_not(control: dict, expected):
    assert as_expected(control) is expected
