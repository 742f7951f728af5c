"""Are shadow classifiers trained faster together or one by one? It depends on the network and the device, so: measured.

On a CPU, perceptrons gain from one stack and convolutions hardly. Both ways give the same classifiers up to the rounding
of sums.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from mintmark.classify.networks import Classifier
from mintmark.classify.stacked import Lesson, steps_together
from mintmark.classify.training import Recipe, training_steps

WARM_UP = 2
STEPS = 5
ROUNDS = 3
MARGIN = 1.1  # a smaller gain may be noise, and one by one every classifier is the same whatever else is trained


class Pace(NamedTuple):
    """Seconds that a step of one classifier takes."""

    one_by_one: float
    together: float

    @property
    def gain(self) -> float:
        """How many times as fast together."""
        return self.one_by_one / self.together

    @property
    def pays(self) -> bool:
        """Whether together is faster beyond doubt."""
        return self.gain >= MARGIN


def measure(
    lessons: Sequence[Lesson],
    *,
    num_classes: int,
    recipe: Recipe,
    device: torch.device | str = "cpu",
    make: Callable[[], Classifier] | None = None,
) -> Pace:
    """Time a few steps of both ways by turns, after a warm-up, and take the medians.

    Args:
        lessons: Those of one stack.
        num_classes: How many classes there are.
        recipe: How they are trained.
        device: Where.
        make: As `train_classifier` takes it.
    """
    how = {"num_classes": num_classes, "device": device, "make": make, "recipe": replace(recipe, steps=WARM_UP + STEPS)}
    first = lessons[0]
    alone, together = [], []
    for _ in range(ROUNDS):
        alone.append(_seconds(training_steps(first.images, first.codes, seed=first.seed, **how)))
        together.append(_seconds(steps_together(lessons, **how)) / len(lessons))
    return Pace(statistics.median(alone), statistics.median(together))


def _seconds(steps: Iterator[object]) -> float:
    """Of one step: each waits for its loss, so the device is done when a step is."""
    for _ in itertools.islice(steps, WARM_UP):
        pass
    begun = time.perf_counter()
    for _ in steps:
        pass
    return (time.perf_counter() - begun) / STEPS
