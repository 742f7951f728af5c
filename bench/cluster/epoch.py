"""One epoch of ours and of the published design: CPU seconds, and how much the process's memory peaks above its data.

All transformations take part from the first step, so that every step has the whole work; one start, one thread, the same
batches. Random images: what they show does not change the work. Each epoch has a process of its own, in turns.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from bench.cluster import published
from bench.cluster.mnist import NUM_CLASSES, RECIPE, SEED
from bench.peers import answer
from bench.reporting import Goal, at_least, at_most
from mintmark.cluster import training

ROOT = Path(__file__).resolve().parents[2]
RECORDS, QUICK_RECORDS, ROUNDS, SIDE = 10_000, 256, 3, 28
LEAST_FASTER, MOST_MEMORY = 20.0, 1.0
SCRIPT = "import sys; from bench.cluster.epoch import tell; tell(*sys.argv[1:])"


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """How many times as long the published design takes for an epoch, and what share of its memory ours needs."""
    del workers
    records, rounds = (QUICK_RECORDS, 1) if quick else (RECORDS, ROUNDS)
    told = [
        {name: answer(sys.executable, SCRIPT, name, str(records), cwd=ROOT) for name in STEPS} for _ in range(rounds)
    ]
    times = [one["published"]["seconds"] / one["ours"]["seconds"] for one in told]
    memory = [one["ours"]["bytes"] / one["published"]["bytes"] for one in told]
    goals = [
        at_least(
            LEAST_FASTER,
            "CPU seconds of an epoch, published over ours",
            statistics.median(times),
            (min(times), max(times)),
            unit="times",
        ),
        at_most(MOST_MEMORY, "peak memory of an epoch above its data, ours over published", memory, unit="of it"),
    ]
    return goals, {"records": records, "rounds": told}


def tell(name: str, records: str) -> None:
    """Train for an epoch, and print what it took: for a process of its own."""
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(SEED)
    images = torch.rand(int(records), 1, SIDE, SIDE, generator=rng) * 2 - 1
    steps = STEPS[name](images)
    before = _peak()
    next(steps)  # what is done once is no part of an epoch's time
    began = time.process_time()
    for _ in islice(steps, len(images) // RECIPE.batch_size):
        pass
    print(json.dumps({"seconds": time.process_time() - began, "bytes": _peak() - before}))


def _ours(images: torch.Tensor) -> Iterator[Any]:
    recipe = replace(RECIPE, starts=1, identity_steps=0, challenge_every=0)
    return training.train(images, num_clusters=NUM_CLASSES, recipe=recipe, seed=SEED)


def _published(images: torch.Tensor) -> Iterator[Any]:
    return published.train(images, transformations=RECIPE.transformations, longest=0, plateau=RECIPE.plateau)


STEPS = {"ours": _ours, "published": _published}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in kibibytes
