"""One class against the rest: fitted on training images of one class, judged by official test images of all.

The figure is the mean over classes of the AUROC, once for each seed, which draws the normals that are held out for the
combination, the weights and the batches. Its interval is Student's over the seeds: it covers another draw and training,
not another set of classes or of test images. No detector, and no weight of the combination, sees an image of another
class. Which detectors are combined was chosen on training images of MNIST's classes 4 and 8 and Fashion-MNIST's class 4,
beside which training images of other classes stood for anomalies.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from bench.anomaly.detectors import recipes
from bench.idx import read
from bench.reporting import Goal, at_least
from mintmark.anomaly import combination
from mintmark.anomaly.family import fit_members
from mintmark.data.images import ImageSet, to_unit
from mintmark.fan_out import fan_out
from mintmark.intervals import auc, mean
from mintmark.progress import track

DATA_SETS = {"mnist": 0.975, "fashion-mnist": 0.93}  # with the least that the combination should reach
COMBINED = ("gradient_residual", "gradient_nearest", "memory", "moves")
ALONE = ("pca_residual", "nearest", "one_class_svm", "isolation_forest")  # beside which those stand
HELD_OUT = 0.2  # share of a class's training images on which the combination is calibrated
COMBINATION = "combination"


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        num_normals: Training images of a class; None for all.
        num_classes: The first so many of the ten.
        num_tested: Test images, at random; None for all.
        num_seeds: Repetitions.
    """

    num_normals: int | None
    num_classes: int
    num_tested: int | None
    num_seeds: int

    def __post_init__(self) -> None:
        if self.num_seeds < 2:
            raise ValueError(f"num_seeds must be at least 2, of which an interval can be known, got {self.num_seeds}")


FULL = Size(num_normals=None, num_classes=10, num_tested=4000, num_seeds=3)
QUICK = Size(num_normals=120, num_classes=1, num_tested=100, num_seeds=2)


class Case(NamedTuple):
    """One class in turn, with images in [-1, 1]."""

    fitted: Float[torch.Tensor, "fitted 1 height width"]
    held_out: Float[torch.Tensor, "held_out 1 height width"]
    normals: Float[torch.Tensor, "normals 1 height width"]
    anomalies: Float[torch.Tensor, "anomalies 1 height width"]


class Row(NamedTuple):
    """One detector on one class: its AUROC, and the processor's seconds to fit and score."""

    auroc: float
    seconds: float


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Every detector on both data sets, and the combination of some."""
    size = QUICK if quick else FULL
    goals: list[Goal] = []
    details: dict[str, Any] = {}
    for name, goal in DATA_SETS.items():
        train, test = read(data / name, "train"), read(data / name, "t10k")
        jobs = [
            partial(judge, train, test, code=code, seed=seed, kinds=(*ALONE, *COMBINED), size=size, quick=quick)
            for seed in range(size.num_seeds)
            for code in range(size.num_classes)
        ]
        found = list(track(fan_out(jobs, workers=workers), name, total=len(jobs)))
        details[name] = {kind: summary([one[kind] for one in found], size=size) for kind in found[0]}
        best = details[name][COMBINATION]
        goals.append(
            at_least(goal, f"{name}: combination, mean AUROC of classes", best["auroc"], best["interval"], unit="AUROC")
        )
    return goals, details


def judge(
    train: ImageSet, test: ImageSet, *, code: int, seed: int, kinds: Sequence[str], size: Size, quick: bool
) -> dict[str, Row]:
    """Fit these detectors on one class, and rank the test images once; those that are combined also together."""
    torch.set_num_threads(1)
    case = draw(train, test, code=code, seed=seed, size=size)
    rows, references, of_normals, of_anomalies = {}, {}, {}, {}
    for kind in kinds:
        start = time.process_time()
        (detector,) = fit_members([kind], case.fitted, recipes=recipes(quick=quick), networks=None, seed=seed)
        if kind in COMBINED:
            references[kind] = combination.refer(detector.score(case.held_out), kind=kind)
        of_normals[kind], of_anomalies[kind] = detector.score(case.normals), detector.score(case.anomalies)
        rows[kind] = Row(_auroc(of_anomalies[kind], of_normals[kind]), time.process_time() - start)
    if not references:
        return rows
    together = [
        combination.combine(list(references.values()), [scores[kind] for kind in references])
        for scores in (of_anomalies, of_normals)
    ]
    return rows | {COMBINATION: Row(_auroc(*together), sum(rows[kind].seconds for kind in references))}


def draw(train: ImageSet, test: ImageSet, *, code: int, seed: int, size: Size) -> Case:
    """The images of one class in turn; the test images are the same for all seeds and classes."""
    of_class = np.flatnonzero(train.codes == code)
    rows = np.random.default_rng([seed, code]).permutation(of_class)[: size.num_normals]
    num_held_out = int(HELD_OUT * len(rows))
    tested = np.random.default_rng(0).permutation(len(test))[: size.num_tested]
    foreign = test.codes[tested] != code
    return Case(
        fitted=to_unit(train.images[rows[num_held_out:]]),
        held_out=to_unit(train.images[rows[:num_held_out]]),
        normals=to_unit(test.images[tested[~foreign]]),
        anomalies=to_unit(test.images[tested[foreign]]),
    )


def summary(rows: Sequence[Row], *, size: Size) -> dict[str, Any]:
    """The mean over classes with its interval over seeds, and each class's mean over seeds; rows come seed by seed."""
    aurocs = np.array([row.auroc for row in rows]).reshape(size.num_seeds, size.num_classes)
    value, low, high = mean(aurocs.mean(axis=1))
    return {
        "auroc": value,
        "interval": [max(0.0, low), min(1.0, high)],
        "by_class": aurocs.mean(axis=0).round(4).tolist(),
        "processor_seconds": float(np.mean([row.seconds for row in rows])),
    }


def _auroc(anomalies: torch.Tensor, normals: torch.Tensor) -> float:
    return auc(anomalies.double().numpy(), normals.double().numpy())
