"""How a step's CPU time grows with the number of clusters, of starts and of records.

A step looks at one batch, so records should not matter to it; what is asked once of all records should grow with their
number, but for the search for each record's voters, which looks at every pair. Random images: what they show does not
change the work. Each figure of a step is the median over steps after the first few, under all transformations; growth is
told by the slope of log seconds over log size, 1 where it is linear and 2 where it goes with the square.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Any

import numpy as np
import torch

from bench.cluster.mnist import QUICK_RECIPE, RECIPE
from bench.reporting import Goal, at_most
from mintmark.cluster.model import TransformedClusters
from mintmark.cluster.training import Recipe, train
from mintmark.neighbours import nearest

SIDE, SEED = 28, 0
WARM_UP, STEPS = 2, 12
CLUSTERS, STARTS, RECORDS = (5, 10, 20, 40), (1, 2, 4, 8), (1000, 2000, 4000, 8000)
VOTERS, SEARCHES = 5, 3
MOST = 1.1  # the slope of what is linear, and a little for what is measured
MOST_BY_PAIRS = 2.0


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Slopes of a step over clusters, starts and records, and over records of the assignment and the voters' search."""
    del workers
    torch.set_num_threads(1)
    recipe = replace(QUICK_RECIPE if quick else RECIPE, starts=1, identity_steps=0, challenge_every=0)
    ways: dict[str, tuple[Sequence[int], Callable[[int], float], float]] = {
        "a step, by clusters": (CLUSTERS, lambda size: _step(recipe, clusters=size), MOST),
        "a step, by starts": (STARTS, lambda size: _step(replace(recipe, starts=size)), MOST),
        "a step, by records": (RECORDS, lambda size: _step(recipe, records=size), MOST),
        "assignment, by records": (RECORDS, lambda size: _assignment(recipe, records=size), MOST),
        "search for voters, by records": (RECORDS, lambda size: _search(records=size), MOST_BY_PAIRS),
    }
    goals, details = [], {}
    for name, (sizes, seconds, most) in ways.items():
        tried = [size // 10 if size >= RECORDS[0] else size for size in sizes[:2]] if quick else sizes
        found = [seconds(size) for size in tried]
        slope = float(np.polyfit(np.log(tried), np.log(found), 1)[0])
        goals.append(at_most(most, f"slope of {name}", [slope], unit="log/log"))
        details[name] = {"sizes": list(tried), "seconds": found, "slope": slope}
    return goals, details


def _step(recipe: Recipe, *, clusters: int = 10, records: int = 1000) -> float:
    steps = train(_images(records), num_clusters=clusters, recipe=replace(recipe, steps=10**6), seed=SEED)
    return statistics.median(islice(_seconds(steps), WARM_UP, WARM_UP + STEPS))


def _assignment(recipe: Recipe, *, records: int) -> float:
    images = _images(records)
    step = next(train(images, num_clusters=10, recipe=recipe, seed=SEED))
    clusters = TransformedClusters(network=step.network.start(0), background=torch.zeros(1))
    began = time.process_time()
    clusters.assign(images)
    return time.process_time() - began


def _search(*, records: int) -> float:
    points = _images(records).flatten(1)
    searches = (nearest(points, points, k=VOTERS) for _ in count())
    return statistics.median(islice(_seconds(searches), WARM_UP, WARM_UP + SEARCHES))


def _seconds(steps: Iterator[Any]) -> Iterator[float]:
    while True:
        began = time.process_time()
        next(steps)
        yield time.process_time() - began


def _images(num: int) -> torch.Tensor:
    return torch.rand(num, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(SEED)) * 2 - 1
