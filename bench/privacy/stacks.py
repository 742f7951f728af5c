"""Are 32 shadow classifiers trained faster together? Chosen by measurement; then both ways, whole, by turns."""

import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.idx import read
from bench.privacy.classifier import Perceptron
from bench.reporting import Goal, at_least
from mintmark.classify.networks import SmallCNN
from mintmark.classify.stacked import Lesson, train_together
from mintmark.classify.training import Recipe, first_network, streams, train_classifier
from mintmark.data.images import ImageSet
from mintmark.shadow import pace
from mintmark.shadow.classifiers import STACK
from mintmark.shadow.coins import toss

MATMUL_SIDE = 2048
ROUNDS = 3


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Perceptrons and small convolutional networks, on one CPU thread, and on a GPU where there is one."""
    del workers  # one at a time: both ways shall have the machine for themselves
    torch.set_num_threads(1)
    everything = read(data / "fashion-mnist", "train").take(np.arange(200 if quick else 2000))
    goals: list[Goal] = []
    details: dict[str, Any] = {}
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        rate = _matmul_rate(device)
        for name, make in {
            "perceptrons": partial(Perceptron, everything.shape, 10),
            "convolutional networks": partial(SmallCNN, everything.shape, 10, 8),
        }.items():
            row = _contest(everything, make, quick=quick, device=device)
            row["flops over matmul rate"] = row.pop("flops") / row["seconds of the choice"] / rate
            details[f"{name} on {device}"] = row
            goals.append(_goal(name, device, row))
    return goals, details


def _goal(name: str, device: str, row: dict[str, Any]) -> Goal:
    least = 8.0 if device == "cuda" else 1.5 if name == "perceptrons" else 1.0
    label = f"training of 32 {name} on {device}: {row['choice']} against one by one"
    return at_least(least, label, statistics.median(row["gains"]), (min(row["gains"]), max(row["gains"])), unit="times")


def _contest(pool: ImageSet, make: Any, *, quick: bool, device: str) -> dict[str, Any]:
    """Both ways, by turns; the choice by the same measurement as the stage's."""
    num, steps = (4, 6) if quick else (32, 60)
    recipe = Recipe(steps=steps, batch_size=50, learning_rate=2e-3, weight_decay=0.0, width=8)
    lessons = [Lesson(*pool.take(mask).tensors(), seed) for seed, mask in enumerate(toss(pool.codes, num=num, seed=0))]
    how = {"num_classes": 10, "recipe": recipe, "device": device, "make": make}
    found = pace.measure(lessons[:STACK], **how)
    seconds: dict[str, list[float]] = {"one by one": [], "together": []}
    for _ in range(1 if quick else ROUNDS):
        begun = time.perf_counter()
        for lesson in lessons:
            train_classifier(lesson.images, lesson.codes, seed=lesson.seed, **how)
        seconds["one by one"].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        for place in range(0, num, STACK):
            train_together(lessons[place : place + STACK], **how)
        seconds["together"].append(time.perf_counter() - begun)
    choice = "together" if found.pays else "one by one"
    gains = [alone / chosen for alone, chosen in zip(seconds["one by one"], seconds[choice], strict=True)]
    return {
        "choice": choice,
        "gain foreseen": found.gain,
        "gains": gains,
        "gains together": [one / other for one, other in zip(*seconds.values(), strict=True)],
        "seconds of the choice": statistics.median(seconds[choice]),
        "flops": num * steps * _flops(make, pool),
    }


def _flops(make: Any, pool: ImageSet) -> int:
    """Of one step of one classifier, forwards and backwards, as PyTorch counts them."""
    network = first_network(make, streams(0)["weights"])
    images = pool.take(np.arange(50)).tensors()[0]
    with FlopCounterMode(display=False) as counter:
        network(images).sum().backward()
    return counter.get_total_flops()


def _matmul_rate(device: str) -> float:
    """Floating point operations a second of a large product of float32 matrices: the most that the machine does."""
    one = torch.randn(MATMUL_SIDE, MATMUL_SIDE, device=device)
    rates = []
    for _ in range(5):
        begun = time.perf_counter()
        (one @ one).sum().item()
        rates.append(2 * MATMUL_SIDE**3 / (time.perf_counter() - begun))
    return max(rates)
