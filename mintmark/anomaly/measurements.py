"""What a detector's scores say: how well it ranks, what its threshold does, and what it gives away.

Knows nothing of how scores came about.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from mintmark.anomaly.threshold import alarms, calibrate
from mintmark.evidence import Measurement
from mintmark.intervals import Interval, auc_bootstrap, auc_difference_bootstrap, proportion


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scores:
    """One detector's scores, of distinct records throughout.

    Attributes:
        kind: The detector's name.
        calibration: Normals that only set the threshold.
        normals: Normals that are judged.
        anomalies: By corruption.
    """

    kind: str
    calibration: Float[torch.Tensor, " calibration"]
    normals: Float[torch.Tensor, " normals"]
    anomalies: Mapping[str, Float[torch.Tensor, " anomalies"]]

    @property
    def all_anomalies(self) -> Float[torch.Tensor, " anomalies"]:
        """The anomalies of every corruption, one after the other."""
        return torch.cat(list(self.anomalies.values()))


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
    """How well the score tells records that the detector was fitted on from fresh ones."""
    found = auc_bootstrap(_array(scores.normals), _array(train), rng=rng, level=level)
    return _measured(
        found,
        name=f"{scores.kind}_member_auroc",
        unit="auc",
        n=len(scores.normals) + len(train),
        level=level,
        note="chance that a fresh record scores above a training record: above 0.5 the score gives members away",
    )


def alarm_rates(scores: Scores, *, false_alarm_rate: float, level: float) -> list[Measurement]:
    """What the calibrated threshold does to normals and to anomalies, with exact intervals.

    Raises:
        BadInput: the calibration normals are too few for so small a rate.
    """
    threshold = calibrate(scores.calibration, false_alarm_rate=false_alarm_rate)
    asked = f"threshold set on validation records for a rate of {false_alarm_rate:g}"
    return [
        _measured(
            proportion(int(alarms(some, threshold=threshold).sum()), len(some), level=level),
            name=f"{scores.kind}_{name}",
            unit="rate",
            n=len(some),
            level=level,
            note=f"share of {whose} records that raise an alarm; {asked}",
        )
        for name, some, whose in (
            ("false_alarm_rate", scores.normals, "untouched test"),
            ("detection_rate", scores.all_anomalies, "corrupted"),
        )
    ]


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


def _measured(
    found: Interval, *, name: str, unit: str, n: int, level: float, note: str, control: str | None = None
) -> Measurement:
    value, low, high = found
    return Measurement(
        name=name, value=value, unit=unit, n=n, low=low, high=high, level=level, control=control, note=note
    )


def _array(scores: torch.Tensor) -> np.ndarray:
    return scores.cpu().double().numpy()
