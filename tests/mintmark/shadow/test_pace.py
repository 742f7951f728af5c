"""The faster way is measured, and the measured steps are those that would be taken."""

import itertools
from collections.abc import Iterator

import pytest
import torch

from mintmark.classify.stacked import Lesson
from mintmark.classify.training import Recipe
from mintmark.shadow import pace
from mintmark.shadow.pace import MARGIN, ROUNDS, STEPS, WARM_UP, Pace, measure

RECIPE = Recipe(steps=500, batch_size=4, learning_rate=1e-2, weight_decay=0.0, width=2)


def lessons(num: int) -> list[Lesson]:
    return [Lesson(torch.zeros(6, 1, 4, 4), torch.arange(6) % 3, seed) for seed in range(num)]


def test_a_step_takes_time_both_ways() -> None:
    found = measure(lessons(3), num_classes=3, recipe=RECIPE)
    assert found.one_by_one > 0
    assert found.together > 0
    assert found.gain == pytest.approx(found.one_by_one / found.together)


def test_a_step_of_a_stack_counts_for_each_of_its_classifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that ticks by 1 for each step: of 4 together a classifier has a quarter."""
    clock = itertools.count()
    now = 0

    def ticking(num: int) -> Iterator[int]:
        nonlocal now
        for step in range(num):
            now = next(clock)
            yield step

    monkeypatch.setattr(pace.time, "perf_counter", lambda: float(now))
    monkeypatch.setattr(pace, "training_steps", lambda *_, recipe, **__: ticking(recipe.steps))
    monkeypatch.setattr(pace, "steps_together", lambda *_, recipe, **__: ticking(recipe.steps))
    assert measure(lessons(4), num_classes=3, recipe=RECIPE) == Pace(1.0, 0.25)
    assert next(clock) == 2 * ROUNDS * (WARM_UP + STEPS)


def test_a_gain_within_noise_does_not_pay() -> None:
    assert Pace(MARGIN + 0.01, 1.0).pays
    assert not Pace(MARGIN - 0.01, 1.0).pays
    assert not Pace(0.5, 1.0).pays
