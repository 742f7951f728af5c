"""What a detector's scores say: how well it ranks, what its two thresholds do, and what it gives away.

Knows nothing of how scores came about.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from mintmark.anomaly.scoring import Scores
from mintmark.anomaly.threshold import alarms, calibrate, least_normals, resolves, spread
from mintmark.evidence import Measurement
from mintmark.intervals import Interval, auc_bootstrap, auc_difference_bootstrap, proportion


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """How often a normal record may raise an alarm, by what the alarm says.

    Attributes:
        novelty: Unusual: somebody should look at it.
        anomaly: So unusual that it is taken for no normal record; less often than novelty.
    """

    novelty: float
    anomaly: float

    def __post_init__(self) -> None:
        if not 0 < self.anomaly < self.novelty < 1:
            raise ValueError(f"rates must be 0 < anomaly < novelty < 1, got {self.anomaly} and {self.novelty}")

    def by_name(self) -> Mapping[str, float]:
        """Both, by their names."""
        return {"novelty": self.novelty, "anomaly": self.anomaly}


def ranking(scores: Scores, *, rng: np.random.Generator, level: float) -> list[Measurement]:
    """AUROC over all corruptions and for each, the control in which nothing is wrong."""
    kind, control = scores.kind, f"{scores.kind}_normals_auroc"
    overall = "chance that a corrupted record scores above an untouched one"
    pairs = [(f"{kind}_auroc", scores.all_anomalies, scores.normals, overall)]
    pairs += [
        (f"{kind}_auroc_{name}", anomalies, scores.normals, f"the same for {name} alone")
        for name, anomalies in scores.anomalies.items()
    ]
    pairs += [
        (
            control,
            scores.normals,
            scores.calibration,
            "the same for untouched test against validation records: near 0.5",
        )
    ]
    return [
        _measured(
            auc_bootstrap(_array(positives), _array(negatives), rng=rng, level=level),
            name=name,
            unit="auc",
            n=len(positives) + len(negatives),
            level=level,
            control=None if name == control else control,
            note=note,
        )
        for name, positives, negatives, note in pairs
    ]


def member_leak(
    scores: Scores, *, train: Float[torch.Tensor, " train"], rng: np.random.Generator, level: float
) -> Measurement:
    """How well the score tells training records from fresh ones."""
    found = auc_bootstrap(_array(scores.normals), _array(train), rng=rng, level=level)
    return _measured(
        found,
        name=f"{scores.kind}_member_auroc",
        unit="auc",
        n=len(scores.normals) + len(train),
        level=level,
        note="chance that a fresh record scores above a training record: above 0.5 the score gives members away",
    )


def thresholds(scores: Scores, *, rates: Rates) -> dict[str, float | None]:
    """A detector's thresholds by name; None where its calibration normals do not resolve the rate."""
    return {
        name: calibrate(scores.calibration, false_alarm_rate=rate)
        if resolves(len(scores.calibration), false_alarm_rate=rate)
        else None
        for name, rate in rates.by_name().items()
    }


def alarm_rates(
    scores: Scores, *, thresholds: Mapping[str, float | None], rates: Rates, level: float
) -> list[Measurement]:
    """What each threshold does to normals and to anomalies, asked and got, with exact intervals.

    A threshold of None gives measurements without a value, which say how many calibration normals it would take.
    """
    found = []
    for name, rate in rates.by_name().items():
        threshold = thresholds[name]
        for what, some, whose in (
            ("false_alarm", scores.normals, "untouched test"),
            ("detection", scores.all_anomalies, "corrupted"),
        ):
            full_name = f"{scores.kind}_{name}_{what}_rate"
            if threshold is None:
                note = _unresolved(len(scores.calibration), rate)
                found.append(Measurement(name=full_name, value=None, unit="rate", n=len(some), note=note))
                continue
            asked = _asked(len(scores.calibration), rate, level)
            found.append(
                _measured(
                    proportion(int(alarms(some, threshold=threshold).sum()), len(some), level=level),
                    name=full_name,
                    unit="rate",
                    n=len(some),
                    level=level,
                    note=f"share of {whose} records that raise the alarm {name}; {asked}",
                )
            )
    return found


def advantage(scores: Scores, *, over: Scores, rng: np.random.Generator, level: float) -> Measurement:
    """The AUROC of one detector minus that of another on the same records, paired."""
    found = auc_difference_bootstrap(
        np.stack([_array(scores.all_anomalies), _array(over.all_anomalies)]),
        np.stack([_array(scores.normals), _array(over.normals)]),
        rng=rng,
        level=level,
    )
    return _measured(
        found,
        name=f"{scores.kind}_minus_{over.kind}_auroc",
        unit="difference",
        n=len(scores.all_anomalies) + len(scores.normals),
        level=level,
        note=f"above 0 {scores.kind} ranks better than {over.kind}, below 0 worse",
    )


def _asked(num_calibration: int, rate: float, level: float) -> str:
    low, high = spread(num_calibration, false_alarm_rate=rate, level=level)
    return (
        f"asked: {rate:.1%} of normal records, by {num_calibration} validation records, "
        f"which are so few that the true rate may be {low:.1%} to {high:.1%}"
    )


def _unresolved(num_calibration: int, rate: float) -> str:
    return (
        f"cannot be resolved: a rate of {rate:.1%} takes at least {least_normals(rate)} validation records, "
        f"got {num_calibration}"
    )


def _measured(
    found: Interval, *, name: str, unit: str, n: int, level: float, note: str, control: str | None = None
) -> Measurement:
    value, low, high = found
    return Measurement(
        name=name, value=value, unit=unit, n=n, low=low, high=high, level=level, control=control, note=note
    )


def _array(scores: torch.Tensor) -> np.ndarray:
    return scores.cpu().double().numpy()
