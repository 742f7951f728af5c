"""Measurements and reports: what they refuse, and that they come back from their files."""

import json
import math
from pathlib import Path

import pytest

from mintmark.errors import BadInput
from mintmark.evidence import Measurement, Report, read_report, write_report


def rate(name: str = "rate", value: float | None = 0.25, *, low: float | None = None, high: float | None = None):
    return Measurement(name=name, value=value, unit="rate", n=8, low=low, high=high, level=0.95)


def report(**changes: object) -> Report:
    first = rate("first", 1 / 3, low=0.1, high=0.9)
    parts = {"stage": "toy", "measurements": (first, rate("second", None)), "headline": ("first",), "verdict": "fine"}
    return Report(**{**parts, "facts": {"table": {"a": [1, 2.5]}}, "cost": {"steps": 100.0}, **changes})  # type: ignore[arg-type]


def test_a_report_comes_back_from_its_file(tmp_path: Path):
    write_report(report(), tmp_path / "toy")
    found = read_report(tmp_path / "toy")
    assert found["first"] == Measurement(name="first", value=0.333333, unit="rate", n=8, low=0.1, high=0.9, level=0.95)
    assert found == report(measurements=(found["first"], rate("second", None)))


def test_metrics_hold_the_headline_and_the_verdict_alone(tmp_path: Path):
    write_report(report(), tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"first": 0.333333, "verdict": "fine"}
    write_report(report(verdict=None, headline=("first", "second")), tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"first": 0.333333, "second": None}


def test_fractions_are_rounded_and_counts_are_not(tmp_path: Path):
    measurements = (rate("share", 0.123456789), rate("records", 1234567.0), rate("tiny", 1.23456789e-7))
    facts = {"rows": 12345678, "rates": [0.999999999], "name": "1234.56789"}
    write_report(report(measurements=measurements, headline=(), facts=facts), tmp_path)
    found = read_report(tmp_path)
    assert [one.value for one in found.measurements] == [0.123457, 1234567.0, 1.23457e-7]
    assert found.facts == {"rows": 12345678, "rates": [1.0], "name": "1234.56789"}


def test_the_same_report_is_the_same_bytes(tmp_path: Path):
    write_report(report(facts={"a": 1, "b": 2}), tmp_path / "1")
    write_report(report(facts={"b": 2, "a": 1}), tmp_path / "2")
    assert (tmp_path / "1" / "report.json").read_bytes() == (tmp_path / "2" / "report.json").read_bytes()


@pytest.mark.parametrize("end", ["value", "low", "high"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_measurement_is_finite_or_nothing(end: str, number: float):
    with pytest.raises(ValueError, match=f"rate.{end} must be finite or None, got {number}"):
        Measurement(**{"name": "rate", "value": 0.5, "unit": "rate", "n": 1, end: number})  # type: ignore[arg-type]


def test_an_interval_runs_from_low_to_high():
    assert rate(low=0.5, high=0.5).low == 0.5
    with pytest.raises(ValueError, match=r"rate: low must not exceed high, got 0.6 > 0.5"):
        rate(low=0.6, high=0.5)


def test_names_are_unique_and_the_headline_knows_them():
    with pytest.raises(ValueError, match=r"unique, got \['rate'\] more than once"):
        report(measurements=(rate(), rate()), headline=())
    with pytest.raises(ValueError, match=r"headline must name measurements, got \['third'\]"):
        report(headline=("first", "third"))


def test_an_unknown_measurement_is_a_key_error_that_names_it():
    assert report()["second"].value is None
    with pytest.raises(KeyError, match="toy has no measurement 'third'"):
        report()["third"]


@pytest.mark.parametrize(
    "text", [None, "", "[1]", "{}", '{"stage": "x", "measurements": [{"colour": 1}], "headline": []}']
)
def test_what_is_no_report_is_bad_input(tmp_path: Path, text: str | None):
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(BadInput, match=r"report.json: expected a report, got") as caught:
        read_report(tmp_path)
    assert "\n" not in str(caught.value)
