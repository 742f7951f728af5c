"""Rules: what passes, what fails, and that nothing passes unmeasured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintmark.evidence import Measurement, Report
from mintmark.release.rules import Rule, check, parse_rule

NUMBER = {
    "name": "few leaks",
    "because": "leaks harm",
    "artefacts": ["samples"],
    "purpose": "any",
    "stage": "audit",
    "measurement": "samples_auc_bound",
    "field": "value",
    "at_most": 0.6,
}
WORD = {key: NUMBER[key] for key in ("name", "because", "artefacts", "purpose", "stage")} | {
    "fact": "conclusive.samples",
    "among": [True],
}
finite = st.floats(-1, 1)


def report(value: float | None, *, low: float | None = None, high: float | None = None, **facts) -> Report:
    measurement = Measurement(name="samples_auc_bound", value=value, unit="auc", n=9, low=low, high=high)
    return Report(stage="audit", measurements=(measurement,), facts=facts)


@given(value=finite, limit=finite)
def test_at_most_passes_exactly_when_the_number_does_not_exceed_the_limit(value: float, limit: float):
    assert check(parse_rule({**NUMBER, "at_most": limit}), report(value)).passed == (value <= limit)


@given(value=finite, limit=finite)
def test_at_least_passes_exactly_when_the_number_reaches_the_limit(value: float, limit: float):
    rule = {key: one for key, one in NUMBER.items() if key != "at_most"} | {"at_least": limit}
    assert check(parse_rule(rule), report(value)).passed == (value >= limit)


@pytest.mark.parametrize(("field", "judged"), [("low", 0.5), ("value", 0.55), ("high", 0.7)])
def test_the_named_end_of_the_interval_is_judged(field: str, judged: float):
    finding = check(parse_rule({**NUMBER, "field": field}), report(0.55, low=0.5, high=0.7))
    assert finding.judged == judged
    assert finding.passed == (judged <= 0.6)


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (NUMBER, None),
        (NUMBER, Report(stage="audit", measurements=())),
        (NUMBER, report(None)),
        ({**NUMBER, "field": "high"}, report(0.1)),
        (WORD, None),
        (WORD, report(0.1)),
        (WORD, report(0.1, conclusive={})),
        (WORD, report(0.1, conclusive={"samples": None})),
        (WORD, report(0.1, conclusive="samples")),
        ({**WORD, "fact": "verdict", "among": ["helps"]}, report(0.1)),
    ],
    ids=["no report", "no name", "null", "no end", "no report", "no fact", "no key", "null", "no map", "no verdict"],
)
def test_what_was_not_measured_never_passes(rule: dict, found: Report | None):
    finding = check(parse_rule(rule), found)
    assert finding.status == "not measured"
    assert not finding.passed


@pytest.mark.parametrize(("word", "passed"), [(True, True), (False, False), (1, False), ("true", False)])
def test_a_word_passes_only_as_it_is_written(word: object, passed):
    assert check(parse_rule(WORD), report(0.1, conclusive={"samples": word})).passed is passed


def test_a_long_text_is_not_a_word():
    rule = parse_rule({**WORD, "among": ["x" * 41]})
    assert check(rule, report(0.1, conclusive={"samples": "x" * 41})).status == "not measured"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limit": 1}, "unknown keys"),
        ({"because": 3}, "because must be text"),
        ({"at_most": "0.6"}, "at_most must be a number"),
        ({"at_most": True}, "at_most must be a number"),
        ({"artefacts": "samples"}, "artefacts must be a list"),
        ({"artefacts": []}, "at least one"),
        ({"purpose": "sell"}, "purpose must be one of"),
        ({"field": "middle"}, "must have either"),
        ({"at_least": 0.1}, "must have either"),
        ({"fact": "verdict", "among": ["helps"]}, "must have either"),
    ],
)
def test_a_wrong_rule_is_refused_by_name(change: dict, message: str):
    with pytest.raises(ValueError, match=message) as caught:
        parse_rule({**NUMBER, **change})
    assert "few leaks" in str(caught.value)


def test_a_rule_without_a_limit_is_refused():
    with pytest.raises(ValueError, match="missing keys"):
        parse_rule({"name": "few leaks"})
    with pytest.raises(ValueError, match="must have either"):
        Rule(name="a", because="b", artefacts=("samples",), purpose="any", stage="audit")
