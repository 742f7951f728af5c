"""MNIST's 10,000 test images: clusters up to transformations teach networks, whose answers are the next clusters.

Labels score and do nothing else: the most rounds there may be is fixed, and which one is refused is told without them
(`mintmark.cluster.self_labels`). Intervals are Student's over seeds.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.cluster.mnist import NUM_CLASSES, QUICK_RECIPE, RECIPE, Codes, Images, images_of, right
from bench.reporting import Goal, at_least, at_most
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.out_of_fold import Folds
from mintmark.classify.training import Recipe
from mintmark.cluster import self_labels, training
from mintmark.cluster.scores import nmi
from mintmark.intervals import mean

SEEDS = (11, 12, 13, 14, 15)
WANTED, MOST_SECONDS = 0.97, 2700.0
BENT = Augmentation(shift=0.1, rotation=15.0, scale=0.15)
TAUGHT = Recipe(steps=500, batch_size=64, learning_rate=1e-2, weight_decay=1e-2, width=8, augmentation=BENT)
BRIEFLY = Recipe(steps=5, batch_size=16, learning_rate=1e-2, weight_decay=0.0, width=4)
LABELS = self_labels.Recipe(rounds=4, least_kept=0.5, folds=Folds(number=5, recipe=TAUGHT, workers=1, threads=1))
QUICK_LABELS = self_labels.Recipe(rounds=4, least_kept=0.1, folds=Folds(number=2, recipe=BRIEFLY, workers=1, threads=1))


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The accuracy of every seed before the first round and after each; one thread, whatever `workers` says."""
    del workers
    torch.set_num_threads(1)
    images, codes = images_of(data, quick=quick)
    recipe, labels, seeds = (QUICK_RECIPE, QUICK_LABELS, SEEDS[:2]) if quick else (RECIPE, LABELS, SEEDS)
    found = [one_seed(images, codes, recipe=recipe, labels=labels, seed=seed) for seed in seeds]
    value, low, high = mean(np.array([one["accuracy"] for one in found]))
    goals = [
        at_least(
            WANTED,
            f"accuracy after {labels.rounds} rounds at most, mean of {len(seeds)} seeds",
            value,
            (low, high),
            unit="rate",
        ),
        at_most(MOST_SECONDS, "all starts and rounds of a seed", [one["seconds"] for one in found], unit="CPU s"),
    ]
    before = list(mean(np.array([one["before"] for one in found])))
    return goals, {"records": len(codes), "recipe": asdict(labels), "before": before, "seeds": found}


def one_seed(
    images: Images, codes: Codes, *, recipe: training.Recipe, labels: self_labels.Recipe, seed: int
) -> dict[str, Any]:
    """Accuracy before the first round, after each, and in the end; NMI in the end; what the rounds moved; CPU seconds."""
    began = time.process_time()
    fit = training.fit(images, num_clusters=NUM_CLASSES, recipe=recipe, seed=seed)
    found = self_labels.self_labelled(fit, images, recipe=labels, seed=seed)
    seconds, best = time.process_time() - began, int(fit.losses.argmin())
    clusters = found.fit.clusters[best].numpy()
    return {
        "seed": seed,
        "before": right(fit.clusters[best].numpy(), codes),
        "accuracy_by_round": [right(one.clusters.numpy(), codes) for one in found.rounds],
        "accuracy": right(clusters, codes),
        "nmi": list(nmi(clusters, codes, rng=np.random.default_rng(seed))),
        "self_labels": found.as_json(),
        "seconds": round(seconds, 1),
    }
