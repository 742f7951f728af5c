"""MNIST's 10,000 test images: clusters up to transformations teach networks, whose answers are the next clusters.

Each image's next cluster is what a network says that was taught by the clusters of the other folds' images, bent a little.
Networks that see bent images learn what an image's own shape tells, and not where a prototype slipped (self-labelling, as
in the last step of Van Gansbeke et al. 2020, but out of fold and without a choice of confident images). Labels score and do
nothing else; the number of rounds is fixed. Intervals are Student's over seeds.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from bench.cluster.mnist import NUM_CLASSES, QUICK_RECIPE, RECIPE, Codes, Images, images_of, right
from bench.reporting import Goal, at_least, at_most
from mintmark.anomaly.wrong_labels import Folds, out_of_fold
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.training import Recipe
from mintmark.cluster import training
from mintmark.cluster.scores import nmi
from mintmark.intervals import mean

SEEDS = (11, 12, 13, 14, 15)
WANTED, MOST_SECONDS = 0.97, 2700.0
ROUNDS = 4
BENT = Augmentation(shift=0.1, rotation=15.0, scale=0.15)
TAUGHT = Recipe(steps=500, batch_size=64, learning_rate=1e-2, weight_decay=1e-2, width=8, augmentation=BENT)
FOLDS = Folds(number=5, recipe=TAUGHT, workers=1, threads=1)
QUICK_FOLDS = Folds(
    number=2, recipe=Recipe(steps=5, batch_size=16, learning_rate=1e-2, weight_decay=0.0, width=4), workers=1, threads=1
)


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The accuracy of every seed before the first round and after each; one thread, whatever `workers` says."""
    del workers
    torch.set_num_threads(1)
    images, codes = images_of(data, quick=quick)
    recipe, folds, seeds = (QUICK_RECIPE, QUICK_FOLDS, SEEDS[:2]) if quick else (RECIPE, FOLDS, SEEDS)
    found = [one_seed(images, codes, recipe=recipe, folds=folds, seed=seed) for seed in seeds]
    value, low, high = mean(np.array([one["accuracy_by_round"][-1] for one in found]))
    goals = [
        at_least(
            WANTED, f"accuracy after {ROUNDS} rounds, mean of {len(seeds)} seeds", value, (low, high), unit="rate"
        ),
        at_most(MOST_SECONDS, "all starts and rounds of a seed", [one["seconds"] for one in found], unit="CPU s"),
    ]
    before = list(mean(np.array([one["accuracy_by_round"][0] for one in found])))
    return goals, {"records": len(codes), "recipe": asdict(folds.recipe), "before": before, "seeds": found}


def one_seed(images: Images, codes: Codes, *, recipe: training.Recipe, folds: Folds, seed: int) -> dict[str, Any]:
    """Accuracy before the first round and after each, NMI at the end, the share that the last round moved, CPU seconds."""
    began = time.process_time()
    fit = training.fit(images, num_clusters=NUM_CLASSES, recipe=recipe, seed=seed)
    clusters = [fit.clusters[int(fit.losses.argmin())]]
    clusters += rounds_of(images, clusters[0], folds=folds, seed=seed)
    seconds = time.process_time() - began
    return {
        "seed": seed,
        "accuracy_by_round": [right(one.numpy(), codes) for one in clusters],
        "nmi": list(nmi(clusters[-1].numpy(), codes, rng=np.random.default_rng(seed))),
        "moved": float((clusters[-1] != clusters[-2]).double().mean()),
        "seconds": round(seconds, 1),
    }


def rounds_of(
    images: Images, clusters: Int64[torch.Tensor, " n"], *, folds: Folds, seed: int
) -> list[Int64[torch.Tensor, " n"]]:
    """The clusters after each round."""
    found = [clusters]
    for number in range(ROUNDS):
        own = int(np.random.default_rng([seed, number]).integers(2**31))
        beliefs = out_of_fold(images, found[-1], num_classes=NUM_CLASSES, folds=folds, seed=own)
        found.append(beliefs.argmax(dim=1))
    return found[1:]
