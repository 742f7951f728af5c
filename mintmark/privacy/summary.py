"""From scores to measurements: what the gate reads, rounded as `mintmark.privacy.rounding` does.

Knows no limit and no file.
"""

from dataclasses import dataclass

from mintmark.evidence import Measurement
from mintmark.intervals import Interval
from mintmark.privacy.floor import detection_floor
from mintmark.privacy.rates import OperatingPoint, Rates, Scores, measure
from mintmark.privacy.rounding import DIGITS, LEVEL, rounded_down, rounded_up


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """How attacks are measured and the floor is searched.

    Attributes:
        fpr: At which thresholds are frozen.
        low_fpr: At which others are, where the number of non-members allows.
        resamples: Of the AUC's bootstrap.
        power: With which the floor's leak is caught.
        grid: Shares of replayed members among which the floor is searched, rising.
        simulations: For each share.
    """

    fpr: float
    low_fpr: float
    resamples: int
    power: float
    grid: tuple[float, ...]
    simulations: int

    def __post_init__(self) -> None:
        for name in ("fpr", "low_fpr", "power"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        for name in ("resamples", "simulations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        rising = all(low < high for low, high in zip(self.grid, self.grid[1:], strict=False))
        if not self.grid or not rising or self.grid[0] <= 0 or self.grid[-1] > 1:
            raise ValueError(f"grid must hold rising shares above 0 and up to 1, got {list(self.grid)}")


def rates_of(targets: dict[str, dict[str, Scores]], *, precision: Precision, seed: int) -> dict[str, dict[str, Rates]]:
    """The rates of every attack on the targets, with bounds shared among all of them."""
    num_attacks = sum(len(attacks) for attacks in targets.values())
    return {
        threat: measure(
            attacks,
            num_families=len(targets),
            num_attacks=num_attacks,
            fpr=precision.fpr,
            low_fpr=precision.low_fpr,
            seed=seed,
            resamples=precision.resamples,
            level=LEVEL,
        )
        for threat, attacks in targets.items()
    }


def attack_measurements(
    threat: str, rates: dict[str, Rates], scores: dict[str, Scores], *, precision: Precision, control: str
) -> list[Measurement]:
    """AUC, TPR and realised FPR of every attack of one threat model, both sides; at the lower rate where it is resolved."""
    found = []
    for name, one in rates.items():
        num_members, num_others = len(scores[name].members), len(scores[name].non_members)
        found.append(
            _interval(
                one.auc,
                name=f"{threat}_{name}_auc",
                unit="auc",
                n=num_members + num_others,
                note=f"How well the attack '{name.replace('_', ' ')}' tells members from others; 0.5 is guessing.",
                control=control,
            )
        )
        points = {
            ("", "high", precision.fpr): one.forward,
            ("_reversed", "low", precision.fpr): one.backward,
            ("_rare", "high", precision.low_fpr): one.low_forward,
            ("_rare_reversed", "low", precision.low_fpr): one.low_backward,
        }
        for (side, way, fpr), point in points.items():
            if point is not None or fpr == precision.fpr:
                found += _point_measurements(
                    point, f"{threat}_{name}{side}", way, fpr=fpr, sizes=(num_members, num_others), control=control
                )
    return found


def _point_measurements(
    point: OperatingPoint | None, name: str, way: str, *, fpr: float, sizes: tuple[int, int], control: str
) -> list[Measurement]:
    return [
        _interval(
            None if point is None else point.tpr,
            name=f"{name}_tpr",
            unit="rate",
            n=sizes[0],
            note=f"Members found at a threshold frozen at {100 * fpr:g}% false accusations; members score {way}.",
            control=control,
        ),
        _interval(
            None if point is None else point.fpr,
            name=f"{name}_fpr",
            unit="rate",
            n=sizes[1] - sizes[1] // 2,
            note="False accusations this threshold in fact made among the other half of the non-members.",
            control=None,
        ),
    ]


def gate_measurements(
    threat: str, rates: dict[str, Rates], scores: dict[str, Scores], *, fpr: float, control: str
) -> list[Measurement]:
    """The bounds of one threat model: the largest over its attacks, simultaneous over all attacks of the report.

    A TPR that n does not resolve has no bound: the value is None, which no limit passes.
    """
    n = min(min(len(one.members), len(one.non_members)) for one in scores.values())
    tpr_bounds = [one.tpr_bound for one in rates.values() if one.tpr_bound is not None]
    auc_bound = rounded_up(max(one.auc_bound for one in rates.values()))
    tpr_bound = rounded_up(max(tpr_bounds)) if len(tpr_bounds) == len(rates) else None
    return [
        Measurement(
            name=f"{threat}_auc_bound",
            value=auc_bound,
            unit="auc",
            n=n,
            level=LEVEL,
            control=control,
            note="No attack of this attacker tells members from non-members better than this, either way round.",
        ),
        Measurement(
            name=f"{threat}_tpr_bound",
            value=tpr_bound,
            unit="rate",
            n=n,
            level=LEVEL,
            control=control,
            note=f"No attack of this attacker finds more of the members than this at {100 * fpr:g}% false accusations.",
        ),
    ]


def floor_measurement(
    threat: str,
    copies: dict[str, Scores],
    *,
    num_attacks: int,
    num_members: int,
    precision: Precision,
    seed: int,
    control: str,
) -> Measurement:
    """The smallest share of replayed members that this threat model's tests would have caught."""
    found = detection_floor(
        copies,
        num_members=num_members,
        grid=precision.grid,
        wanted_power=precision.power,
        num_attacks=num_attacks,
        fpr=precision.fpr,
        level=1.0 - LEVEL,
        simulations=precision.simulations,
        seed=seed,
    )
    return Measurement(
        name=f"{threat}_detection_floor",
        value=None if found is None else found[0],
        unit="rate",
        n=num_members,
        control=control,
        note=f"A leak of this share of the training records would be caught in {precision.power:.0%} of audits.",
    )


def _interval(
    measured: Interval | None, *, name: str, unit: str, n: int, note: str, control: str | None
) -> Measurement:
    if measured is None:
        return Measurement(name=name, value=None, unit=unit, n=n, control=control, note="Too few non-members to tell.")
    return Measurement(
        name=name,
        value=round(measured.value, DIGITS),
        low=rounded_down(measured.low),
        high=rounded_up(measured.high),
        level=LEVEL,
        unit=unit,
        n=n,
        control=control,
        note=note,
    )
