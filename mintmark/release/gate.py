"""The gate: rules and reports in, a verdict out. Releases nothing itself and knows no file.

Only whole sets of artefacts are released, and only a set all of whose rules pass. The first such set, in the order of
preference, is the verdict; a rule that could not be measured never passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mintmark.evidence import Report
from mintmark.release.rules import Finding, Rule, check
from mintmark.release.verdict import Augmentation, SetFinding, Verdict, WorkOn

AUDIT = "audit"
EVALUATE = "evaluate"
UNTRUSTED_WORDS = (False, "inconclusive")  # what a stage says of a test that could not have failed


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What must hold before anything is released.

    Attributes:
        purpose: "share" (synthetic stands in for real) or "augment" (synthetic added to real).
        rules: Every rule, the owner's most important first.
        sets: Sets of artefacts that may be released together, the most wanted first.
    """

    purpose: Literal["share", "augment"]
    rules: tuple[Rule, ...]
    sets: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"rules must have names of their own, got {repeated} more than once")
        if not self.sets or not all(self.sets):
            raise ValueError("sets must name at least one set, each of at least one artefact")
        for artefact in sorted({artefact for one in self.sets for artefact in one}):
            audited = any(artefact in rule.artefacts and rule.stage == AUDIT for rule in self.in_force())
            if not audited:
                raise ValueError(f"rules must hold one on the audit of {artefact!r}, which sets would release")

    def in_force(self) -> tuple[Rule, ...]:
        """The rules of this purpose that bear on an artefact of some set."""
        wanted = {artefact for one in self.sets for artefact in one}
        return tuple(
            rule for rule in self.rules if rule.purpose in {"any", self.purpose} and wanted & set(rule.artefacts)
        )


def judge(policy: Policy, reports: Mapping[str, Report]) -> Verdict:
    """Hold every rule in force against the reports, by stage, and pick the first set that passed."""
    findings = tuple(check(rule, reports.get(rule.stage)) for rule in policy.in_force())
    sets = tuple(_judge_set(artefacts, findings) for artefacts in policy.sets)
    released = next((one.artefacts for one in sets if one.passed), None)
    return Verdict(
        released=released is not None,
        set=released,
        purpose=policy.purpose,
        findings=findings,
        sets=sets,
        work_on=None if released else _work_on(sets, findings),
        augmentation=_augmentation(reports.get(EVALUATE)),
    )


def _judge_set(artefacts: tuple[str, ...], findings: tuple[Finding, ...]) -> SetFinding:
    bearing = [finding for finding in findings if set(artefacts) & set(finding.rule.artefacts)]
    broken = tuple(finding.rule.name for finding in bearing if not finding.passed)
    return SetFinding(artefacts=artefacts, passed=not broken, broken=broken)


def _work_on(sets: tuple[SetFinding, ...], findings: tuple[Finding, ...]) -> WorkOn:
    """The rule to work on: of the set with the fewest broken rules, what was not measured first, then the owner's order.

    A number that is missing or cannot be trusted comes first, because nothing can be improved that is not measured.
    """
    nearest = min(sets, key=lambda one: len(one.broken))
    broken = [finding for finding in findings if finding.rule.name in nearest.broken]
    first = next((finding for finding in broken if _untrusted(finding)), broken[0])
    if _untrusted(first):
        why = "without a measurement that can be trusted there is nothing to improve"
    elif len(broken) == 1:
        why = "it is the only rule in the way"
    else:
        why = f"it comes first in the order of the rules, of {len(broken)} in the way"
    return WorkOn(rule=first.rule.name, artefacts=nearest.artefacts, why=why)


def _untrusted(finding: Finding) -> bool:
    return finding.status == "not measured" or finding.judged in UNTRUSTED_WORDS


def _augmentation(report: Report | None) -> Augmentation:
    """The answer on augmentation, which is shown whatever the purpose."""
    answer = report.verdict if report is not None and report.verdict else "not measured"
    found = next((one for one in report.measurements if one.name == "augment_difference"), None) if report else None
    if found is None:
        return Augmentation(answer=answer, value=None, low=None, high=None, n=None)
    return Augmentation(answer=answer, value=found.value, low=found.low, high=found.high, n=found.n)
