"""The audit's controls: what shows that it can find a leak, and that it finds none where there is none.

A positive control passes where at least one attack of its threat model detects it. A negative control passes where none
does. Positive controls are tested at `level`; the negative ones share `false_failure` among them, so that an audit of
models that are sound fails a control with that probability at most (Bonferroni over the controls, and within each over
its tests). A failed control makes its threat model inconclusive. Knows nothing of how a control was made.
"""

from dataclasses import dataclass
from typing import Any, Literal

from mintmark.privacy.blind import Blind
from mintmark.privacy.detection import Finding, detect, pooled
from mintmark.privacy.rates import Scores

BLIND = "blind baseline without a model"

Kind = Literal["positive", "negative"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """One control and what came of it.

    Attributes:
        name: What was done, in a few words.
        threat: Threat model.
        kind: "positive" (a planted leak, to be detected) or "negative" (no leak, to be passed over).
        level: Of the test, over all attacks of the control.
        draws: How many models or releases were drawn afresh.
        finding: The strongest evidence.
    """

    name: str
    threat: str
    kind: Kind
    level: float
    draws: int
    finding: Finding

    @property
    def failed(self) -> bool:
        """Whether a planted leak was overlooked, or one was found where there is none."""
        return self.finding.detected == (self.kind == "negative")

    def as_json(self) -> dict[str, Any]:
        """Plain values for a report, rounded: no more digits than the records behind them bear."""
        found = self.finding._asdict().items()
        return {
            "name": self.name,
            "threat": self.threat,
            "kind": self.kind,
            "detected": self.finding.detected,
            "failed": self.failed,
            "level": float(f"{self.level:.3g}"),
            "draws": self.draws,
            **{
                key: round(value, 4) if isinstance(value, float) else value for key, value in found if key != "detected"
            },
        }


def positive(name: str, *, threat: str, attacks: dict[str, Scores], fpr: float, level: float) -> Control:
    """A planted leak: passes where an attack detects it."""
    finding = detect(attacks, fpr=fpr, level=level)
    return Control(name=name, threat=threat, kind="positive", level=level, draws=1, finding=finding)


def negative(name: str, *, threat: str, draws: list[dict[str, Scores]], fpr: float, level: float) -> Control:
    """Models that saw no record under attack, drawn several times: passes where no attack detects anything.

    The draws are tested together, through each record's mean rank; see `detection.pooled`.
    """
    together = {attack: pooled([draw[attack] for draw in draws]) for attack in draws[0]}
    finding = detect(together, fpr=fpr, level=level)
    return Control(name=name, threat=threat, kind="negative", level=level, draws=len(draws), finding=finding)


def blind(found: Blind, *, threats: tuple[str, ...], level: float) -> list[Control]:
    """The blind baseline as a negative control of every threat model: without a model there is nothing to detect."""
    side = "high" if found.auc >= 0.5 else "low"
    finding = Finding(found.p_value <= level, "blind", "auc", side, found.auc, found.low, 0.5, found.p_value)
    return [
        Control(name=BLIND, threat=threat, kind="negative", level=level, draws=1, finding=finding) for threat in threats
    ]


def conclusive(controls: list[Control], *, threats: tuple[str, ...]) -> dict[str, bool]:
    """For each threat model, whether it has controls of both kinds, and all came out as they must."""
    found = {}
    for threat in threats:
        own = [control for control in controls if control.threat == threat]
        both = {control.kind for control in own} == {"positive", "negative"}
        found[threat] = both and not any(control.failed for control in own)
    return found
