"""Does a calibrated threshold raise as many false alarms as were asked for, over MNIST's normals?

Every class's images of both parts are dealt into groups that share no image. In each group a detector is fitted on some
normals, its threshold is set on others, and the alarms of the rest are counted. The figure is the mean over groups of
all classes, with Student's interval over them, so that it covers the draw of the calibration records as well. The goal
is met if the rate that was asked for lies within.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.idx import read
from bench.reporting import Goal
from mintmark.anomaly import nearest, pca
from mintmark.anomaly.detector import Detector
from mintmark.anomaly.threshold import alarms, calibrate
from mintmark.data.images import ImageSet, to_unit, together
from mintmark.intervals import mean
from mintmark.progress import track

RATES = (0.01, 0.05)
DETECTORS: Mapping[str, Callable[[torch.Tensor], Detector]] = {
    "pca_residual": lambda normals: pca.fit(normals, num_components=32),
    "nearest": lambda normals: nearest.fit(normals, num_neighbours=5),
}


class Size(NamedTuple):
    """Images of a group: fitted on, calibrated with, judged; and the groups of each class."""

    fitted: int
    calibrated: int
    judged: int
    groups: int


FULL, QUICK = Size(500, 999, 600, 3), Size(50, 199, 100, 1)


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The rates of each detector; a goal for each rate that is asked for."""
    del workers  # it takes seconds
    torch.set_num_threads(1)
    size = QUICK if quick else FULL
    images = together(*(read(data / "mnist", part) for part in ("train", "t10k")))
    found: dict[tuple[str, float], list[float]] = {(kind, rate): [] for kind in DETECTORS for rate in RATES}
    for code in track(range(len(images.classes)), "classes"):
        for group in groups(images, code=code, size=size):
            fitted, calibrated, judged = group.split([size.fitted, size.calibrated, size.judged])
            for kind, fit in DETECTORS.items():
                detector = fit(fitted)
                held, fresh = detector.score(calibrated), detector.score(judged)
                for rate in RATES:
                    threshold = calibrate(held, false_alarm_rate=rate)
                    found[kind, rate].append(alarms(fresh, threshold=threshold).double().mean().item())
    goals = [_goal(kind, rate, np.array(got)) for (kind, rate), got in found.items()]
    return goals, {"groups": len(images.classes) * size.groups, "size": size._asdict()}


def groups(images: ImageSet, *, code: int, size: Size) -> list[torch.Tensor]:
    """Images of one class in [-1, 1], at random, in groups that share none."""
    rows = np.random.default_rng(code).permutation(np.flatnonzero(images.codes == code))
    each = size.fitted + size.calibrated + size.judged
    return [to_unit(images.images[rows[each * one : each * (one + 1)]]) for one in range(size.groups)]


def _goal(kind: str, rate: float, got: np.ndarray) -> Goal:
    value, low, high = mean(got)
    name = f"{kind}: false alarms at a rate of {rate:.0%}"
    met = low <= rate <= high
    return Goal(name=name, value=value, low=low, high=high, unit="rate", goal=rate, met=met, sense="within")
