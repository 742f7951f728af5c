"""The verdict as data: what is released, and what each rule found. Holds no clock time, path, host or record.

Judges nothing: `gate` does. Written as `verdict.json`, which a person, the flow and the report page read.
"""

from dataclasses import asdict, dataclass
from typing import Any

from mintmark.release import words
from mintmark.release.rules import Finding

VERDICT_FILE = "evidence/verdict.json"  # within a bundle


@dataclass(frozen=True, kw_only=True, slots=True)
class SetFinding:
    """Whether one set of artefacts may go out together, and which rules say no."""

    artefacts: tuple[str, ...]
    passed: bool
    broken: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkOn:
    """The rule to work on after a refusal.

    Attributes:
        rule: Its name.
        artefacts: The set that is nearest to release.
        why: Why this rule and not another.
    """

    rule: str
    artefacts: tuple[str, ...]
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """Whether synthetic data added to the real helps: the answer, and the difference in accuracy with its interval."""

    answer: str
    value: float | None
    low: float | None
    high: float | None
    n: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What is released and why.

    Attributes:
        released: Whether anything is.
        set: The artefacts that are released together; None where nothing is.
        purpose: "share" or "augment".
        findings: What each rule in force found, in the owner's order.
        sets: What became of each set, in the order of preference.
        work_on: The rule to work on; None where something is released.
        augmentation: Whether the synthetic data help when added to the real; shown beside the verdict.
    """

    released: bool
    set: tuple[str, ...] | None
    purpose: str
    findings: tuple[Finding, ...]
    sets: tuple[SetFinding, ...]
    work_on: WorkOn | None
    augmentation: Augmentation

    def as_json(self) -> dict[str, Any]:
        """The verdict as plain JSON values, as `verdict.json` holds it."""
        wanted = self.sets[0].artefacts
        return {
            "released": self.released,
            "set": None if self.set is None else list(self.set),
            "withheld": [artefact for artefact in wanted if artefact not in (self.set or ())],
            "purpose": self.purpose,
            "reason": self._reason(),
            "rules": [_rule(finding) for finding in self.findings],
            "sets": [
                {"artefacts": list(one.artefacts), "passed": one.passed, "broken": list(one.broken)}
                for one in self.sets
            ],
            "work_on": None if self.work_on is None else _listed(asdict(self.work_on)),
            "augmentation": asdict(self.augmentation),
        }

    def _reason(self) -> str:
        """The words that complete "because"."""
        if self.work_on is not None:
            broken = _rule(next(one for one in self.findings if one.rule.name == self.work_on.rule))
            if broken["status"] == "not measured":
                return f'the rule "{broken["name"]}" could not be checked: nothing was measured'
            found, limit = words.number(broken["judged"], broken["unit"]), words.limit(broken)
            return f'the rule "{broken["name"]}" does not hold: found {found}, allowed {limit}'
        bearing = [finding for finding in self.findings if any(one in finding.rule.artefacts for one in self.set or ())]
        numbers = [finding.rule for finding in reversed(bearing) if finding.rule.measurement is not None]
        foremost = {rule.stage: rule.name for rule in numbers}
        said = [finding.rule.name for finding in bearing if finding.rule.name in foremost.values()]
        return f"all {len(bearing)} rules passed: {words.conjunction(said)}"


def _rule(finding: Finding) -> dict[str, Any]:
    rule, found = finding.rule, finding.measurement
    return {
        "name": rule.name,
        "because": rule.because,
        "artefacts": list(rule.artefacts),
        "stage": rule.stage,
        "measurement": rule.measurement or rule.fact,
        "field": rule.field,
        "judged": finding.judged,
        "value": finding.judged if found is None else found.value,
        "low": None if found is None else found.low,
        "high": None if found is None else found.high,
        "level": None if found is None else found.level,
        "n": None if found is None else found.n,
        "unit": None if found is None else found.unit,
        "comparison": rule.comparison,
        "limit": list(rule.limit) if isinstance(rule.limit, tuple) else rule.limit,
        "passed": finding.passed,
        "status": finding.status,
    }


def _listed(values: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
