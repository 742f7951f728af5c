"""Can synthetic records stand alone? Trained on them, tested on real ones (TSTR); and do they cover the real ones?

The generator is the pipeline's own. Coverage is that of test records by as many synthetic ones, in pixels (Naeem et al. 2020,
five neighbours), beside that by as many real training records.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from bench.idx import read
from bench.reporting import Goal, at_least
from bench.utility.digits import NUM_TEST
from bench.utility.generators import default_recipe, synthesise
from bench.utility.known_answers import digits
from mintmark.classify.model import logits
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet
from mintmark.fan_out import fan_out
from mintmark.fidelity.coverage import compare
from mintmark.progress import track
from mintmark.utility.comparison import accuracy

NEIGHBOURS = 5
SPLIT_SEED = 31
DIGITS_GENERATORS, DIGITS_CLASSIFIERS, DIGITS_STEPS, DIGITS_TRAIN, DIGITS_DRAWN = 3, 5, 1600, 809, 3000
DIGITS_CLASSIFIER = Recipe(steps=200, batch_size=64, learning_rate=1.0e-2, weight_decay=1.0e-2, width=16)
MNIST_STEPS, MNIST_TRAIN, MNIST_DRAWN, MNIST_CLASSIFIERS = 2000, 55_000, 20_000, 3
MNIST_CLASSIFIER = Recipe(steps=1500, batch_size=64, learning_rate=1.0e-2, weight_decay=1.0e-2, width=16)
MOST_COVERED = 2000  # records of each set whose coverage is taken


def measure_digits(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Three generators, each with five classifiers."""
    everything = digits()
    rows = np.random.default_rng(SPLIT_SEED).permutation(len(everything))
    test, train = everything.take(rows[:NUM_TEST]), everything.take(rows[NUM_TEST : NUM_TEST + DIGITS_TRAIN])
    jobs = [
        partial(
            tested,
            train,
            test,
            gan_steps=5 if quick else DIGITS_STEPS,
            drawn=DIGITS_DRAWN,
            recipe=DIGITS_CLASSIFIER,
            classifiers=1 if quick else DIGITS_CLASSIFIERS,
            seed=seed,
        )
        for seed in range(DIGITS_GENERATORS)
    ]
    return _judge(list(track(fan_out(jobs, workers=workers), "generators", total=len(jobs))), "digits", least=95.0)


def measure_mnist(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """One generator and three classifiers; the last 5,000 training images were for choosing, and are left out."""
    del workers
    train, test = read(data / "mnist", "train"), read(data / "mnist", "t10k")
    found = tested(
        train.take(np.arange(500 if quick else MNIST_TRAIN)),
        test,
        gan_steps=2 if quick else MNIST_STEPS,
        drawn=200 if quick else MNIST_DRAWN,
        recipe=MNIST_CLASSIFIER if not quick else DIGITS_CLASSIFIER,
        classifiers=1 if quick else MNIST_CLASSIFIERS,
        seed=0,
    )
    return _judge([found], "MNIST", least=97.0)


def tested(
    train: ImageSet, test: ImageSet, *, gan_steps: int, drawn: int, recipe: Recipe, classifiers: int, seed: int
) -> tuple[Float[np.ndarray, " records"], float, float]:
    """The share of classifiers that answer each test record rightly, the synthetic records' coverage, and real ones'."""
    synthetic = synthesise(train, recipe=default_recipe(), steps=gan_steps, num=drawn, seed=seed)
    images, codes = synthetic.tensors()
    right = np.zeros(len(test))
    for number in track(range(classifiers), "classifiers"):
        network = train_classifier(
            images, codes, num_classes=len(train.classes), recipe=recipe, seed=100 * seed + number
        )
        right += logits(network, test.tensors()[0]).argmax(dim=1).numpy() == test.codes
    num = min(MOST_COVERED, len(test), len(train), drawn)
    return right / classifiers, _coverage(test, synthetic, num), _coverage(test, train, num)


def _coverage(real: ImageSet, other: ImageSet, num: int) -> float:
    """Of the first records of one set by as many of another."""
    left, right = (torch.from_numpy(one.images[:num].reshape(num, -1)).float() / 255 for one in (real, other))
    return float(compare(left, right, k=NEIGHBOURS).covered.float().mean())


def _judge(
    found: list[tuple[Float[np.ndarray, " records"], float, float]], name: str, *, least: float
) -> tuple[list[Goal], dict[str, Any]]:
    """One generator has no interval but that of the test records: its row is then taken twice."""
    outcomes = np.stack([one[0] for one in found])
    rate = accuracy(outcomes if len(found) > 1 else np.repeat(outcomes, 2, axis=0))
    beyond = [100 * (synthetic - real) for _, synthetic, real in found]
    ends = (100 * rate.low, 100 * rate.high)
    goals = [
        at_least(least, f"{name}: trained on synthetic, tested on real", 100 * rate.value, ends, unit="%"),
        at_least(
            -10.0,
            f"{name}: coverage beyond as many real records'",
            float(np.mean(beyond)),
            (min(beyond), max(beyond)),
            unit="points",
        ),
    ]
    details = {
        "generators": len(found),
        "tstr_by_generator": [round(100 * float(one[0].mean()), 2) for one in found],
        "coverage": [round(100 * one[1], 2) for one in found],
        "coverage_of_real": [round(100 * one[2], 2) for one in found],
    }
    return goals, details
