"""Release rules: data that say how good is good enough.

A rule names one measurement (or one word) of one stage's report, the limit it must keep, and why. Knows no stage, no
threshold and no file: rules come from params, measurements from reports.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from mintmark.evidence import Measurement, Report

FIELDS = ("value", "low", "high")
PURPOSES = ("share", "augment", "any")
LONGEST_WORD = 40  # a fact that is judged is a word, not a text that could carry records

Status = Literal["passed", "failed", "not measured"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One condition of release.

    Attributes:
        name: A short plain statement that is true when the rule passes; unique among the rules.
        because: Why the rule exists, in words that complete "because".
        artefacts: What may not be released unless this passes: "samples", "classifier", ...
        purpose: The purpose that it belongs to: "share", "augment", or "any".
        stage: Whose report it reads.
        measurement: Which measurement; None for a rule on a word.
        field: Which of its numbers: "value", "low" or "high"; None for a rule on a word.
        at_most: The largest number that passes.
        at_least: The smallest number that passes.
        fact: For a rule on a word: "verdict", or a dotted path into the report's facts.
        among: For a rule on a word: the words (or true, false) that pass.
    """

    name: str
    because: str
    artefacts: tuple[str, ...]
    purpose: str
    stage: str
    measurement: str | None = None
    field: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    fact: str | None = None
    among: tuple[str | bool, ...] | None = None

    def __post_init__(self) -> None:
        if not self.artefacts:
            raise ValueError(f"rule {self.name!r}: artefacts must name at least one")
        if self.purpose not in PURPOSES:
            raise ValueError(f"rule {self.name!r}: purpose must be one of {list(PURPOSES)}, got {self.purpose!r}")
        number = self.measurement is not None and self.field in FIELDS
        word = self.fact is not None and bool(self.among)
        limits = (self.at_most is not None) + (self.at_least is not None)
        whole_number = number and limits == 1 and self.fact is None and self.among is None
        whole_word = word and limits == 0 and self.measurement is None and self.field is None
        if not (whole_number or whole_word):
            raise ValueError(
                f"rule {self.name!r}: must have either measurement, field (one of {list(FIELDS)}) and one of at_most "
                f"and at_least, or fact and among"
            )

    @property
    def limit(self) -> float | tuple[str | bool, ...]:
        """The number or the words that decide."""
        for limit in (self.at_most, self.at_least, self.among):
            if limit is not None:
                return limit
        raise AssertionError("a rule has one limit")

    @property
    def comparison(self) -> str:
        """How the limit is meant: "at_most", "at_least" or "among"."""
        if self.among is not None:
            return "among"
        return "at_most" if self.at_most is not None else "at_least"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one rule found in a report.

    Attributes:
        rule: The rule.
        status: "not measured" never passes: the measurement is missing, or null.
        judged: The number or word that was compared with the limit; None where not measured.
        measurement: The measurement behind a number; None where there is none.
    """

    rule: Rule
    status: Status
    judged: float | str | bool | None
    measurement: Measurement | None

    @property
    def passed(self) -> bool:
        """Whether the rule is kept."""
        return self.status == "passed"


def parse_rule(values: Mapping[str, Any]) -> Rule:
    """A rule from one mapping of params.

    Raises:
        ValueError: a key is unknown or missing, or a value is of the wrong type.
    """
    name = values.get("name")
    known = {one.name for one in fields(Rule)}
    missing = sorted({"name", "because", "artefacts", "purpose", "stage"} - set(values))
    unknown = sorted(set(values) - known)
    if unknown or missing:
        raise ValueError(f"rule {name!r}: unknown keys {unknown}, missing keys {missing}; known are {sorted(known)}")
    for key in known - {"artefacts", "among", "at_most", "at_least"}:
        if key in values and not isinstance(values[key], str):
            raise ValueError(f"rule {name!r}: {key} must be text, got {values[key]!r}")
    for key in ("at_most", "at_least"):
        if key in values and (isinstance(values[key], bool) or not isinstance(values[key], int | float)):
            raise ValueError(f"rule {name!r}: {key} must be a number, got {values[key]!r}")
    lists = {key: tuple(values[key]) for key in ("artefacts", "among") if isinstance(values.get(key), list | tuple)}
    for key in ("artefacts", "among"):
        if key in values and key not in lists:
            raise ValueError(f"rule {name!r}: {key} must be a list, got {values[key]!r}")
    numbers = {key: float(values[key]) for key in ("at_most", "at_least") if key in values}
    return Rule(**{**values, **lists, **numbers})


def check(rule: Rule, report: Report | None) -> Finding:
    """Hold one rule against its stage's report; a missing report is a missing measurement."""
    if rule.fact is not None:
        word = _word(rule.fact, report)
        if word is None:
            return Finding(rule=rule, status="not measured", judged=None, measurement=None)
        kept = any(type(word) is type(one) and word == one for one in rule.among or ())
        return Finding(rule=rule, status="passed" if kept else "failed", judged=word, measurement=None)
    measurement = _measurement(rule, report)
    number = None if measurement is None else getattr(measurement, rule.field or "value")
    if number is None:
        return Finding(rule=rule, status="not measured", judged=None, measurement=measurement)
    kept = number <= rule.at_most if rule.at_most is not None else number >= rule.at_least
    return Finding(rule=rule, status="passed" if kept else "failed", judged=number, measurement=measurement)


def _measurement(rule: Rule, report: Report | None) -> Measurement | None:
    if report is None:
        return None
    return next((one for one in report.measurements if one.name == rule.measurement), None)


def _word(fact: str, report: Report | None) -> str | bool | None:
    if report is None:
        return None
    found: Any = {"verdict": report.verdict, **report.facts}
    for key in fact.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, bool) or (isinstance(found, str) and len(found) <= LONGEST_WORD):
        return found
    return None
