"""Wrong labels, planted in a labelled data set: with what average precision is each way to doubt a label right?

In every seed other training images are drawn and other labels changed, each to another class at random. The method that
is held against the goal was chosen among these on images that no seed here draws (the first half of the training part),
so the figure is of fresh records. The interval is Student's over the seeds. The published labels hold errors of their
own, which count as the method's.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.stats import rankdata

from bench.idx import read
from bench.reporting import Goal, at_least
from mintmark.anomaly.screening import average_precision
from mintmark.anomaly.wrong_labels import doubts, plant, voted
from mintmark.classify.out_of_fold import Folds, out_of_fold
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.fan_out import fan_out
from mintmark.intervals import mean
from mintmark.progress import track

DATA_SETS = ("mnist", "fashion-mnist")
CHOSEN, GOAL = "network", 0.8
SHARE, NEIGHBOURS = 0.05, 20
FIRST = 0.5  # share of the training part on which the method was chosen


class Size(NamedTuple):
    """How much is measured: records of a seed, seeds, and how the networks are taught."""

    records: int
    seeds: int
    folds: Folds


def _folds(steps: int, width: int) -> Folds:
    recipe = Recipe(steps=steps, batch_size=64, learning_rate=1e-2, weight_decay=1e-2, width=width)
    return Folds(number=4, recipe=recipe, workers=1, threads=1)


FULL, QUICK = Size(10_000, 5, _folds(300, 16)), Size(400, 2, _folds(10, 4))


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Every way on both data sets; the goal is stated for MNIST."""
    size = QUICK if quick else FULL
    details: dict[str, Any] = {}
    for name in DATA_SETS:
        train = read(data / name, "train")
        jobs = [partial(judge, train, seed=seed, size=size) for seed in range(size.seeds)]
        found = list(track(fan_out(jobs, workers=workers), name, total=len(jobs)))
        details[name] = {way: _summary([one[way] for one in found]) for way in found[0]}
    best = details["mnist"][CHOSEN]
    name = f"mnist: {SHARE:.0%} of labels planted wrong, found by the {CHOSEN}"
    return [at_least(GOAL, name, best["average_precision"], best["interval"], unit="AP")], details


def judge(train: ImageSet, *, seed: int, size: Size) -> dict[str, tuple[float, float]]:
    """Each way's average precision, and the processor's seconds."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    rows = int(FIRST * len(train)) + rng.permutation(len(train) - int(FIRST * len(train)))[: size.records]
    images, true = train.take(rows).tensors()
    num_classes = len(train.classes)
    given, planted = plant(true.numpy(), num_classes=num_classes, share=SHARE, rng=rng)
    codes = torch.from_numpy(given)
    start = time.process_time()
    of_neighbours = voted(images, codes, num_classes=num_classes, num_neighbours=NEIGHBOURS)
    middle = time.process_time()
    of_network = out_of_fold(images, codes, num_classes=num_classes, folds=size.folds, seed=seed)
    end = time.process_time()
    by_network, by_neighbours = (doubts(one, codes).double().numpy() for one in (of_network, of_neighbours))
    ways = {
        "network": (by_network, end - middle),
        "network, normalised margin": (normalised_margins(of_network.double().exp().numpy(), given), end - middle),
        "neighbours": (by_neighbours, middle - start),
        "mean rank of both": (rankdata(by_network) + rankdata(by_neighbours), end - start),
    }
    return {way: (average_precision(planted, scores), seconds) for way, (scores, seconds) in ways.items()}


def normalised_margins(probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Confident learning's: the best other class less the given one, each less its class's mean self-confidence."""
    own = np.arange(len(codes))
    self_confidence = np.array(
        [
            probabilities[codes == code, code].mean() if (codes == code).any() else 0.0
            for code in range(probabilities.shape[1])
        ]
    )
    adjusted = probabilities - self_confidence
    given = adjusted[own, codes].copy()
    adjusted[own, codes] = -np.inf
    return adjusted.max(axis=1) - given


def _summary(found: list[tuple[float, float]]) -> dict[str, Any]:
    value, low, high = mean(np.array([precision for precision, _ in found]))
    return {
        "average_precision": value,
        "interval": [max(0.0, low), min(1.0, high)],
        "processor_seconds": float(np.mean([seconds for _, seconds in found])),
    }
