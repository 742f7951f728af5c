"""Clusters of MNIST's 10,000 test images up to transformations, again with every seed, and with each of its parts left out.

A seed draws the starts, the weights and the batches; its accuracy is that of its start of lowest final loss. Labels score
and do nothing else. Intervals are Student's over seeds. CPU seconds stand over those of ten starts of K-means, since
what runs beside makes both slower.
"""

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.cluster.mnist import KMEANS, NUM_CLASSES, QUICK_RECIPE, RECIPE, WANTED, Codes, Images, images_of, transformed
from bench.reporting import Goal, at_least, at_most
from mintmark.cluster import kmeans
from mintmark.cluster.training import Recipe
from mintmark.intervals import mean

SEEDS = (11, 12, 13, 14, 15)
MOST_SECONDS = 300.0
PARTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "all transformations at once": {"identity_steps": 0},
    "without challenges": {"challenge_every": 0},
    "without prices": {"priced_starts": 0.0},
    "without restarts": {"restart_below": 0.0},
    "without challenges, prices and restarts": {"challenge_every": 0, "priced_starts": 0.0, "restart_below": 0.0},
}
ABLATION_SEEDS = SEEDS[:2]


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The recipe with every seed; one thread, one at a time, whatever `workers` says."""
    del workers
    torch.set_num_threads(1)
    images, codes = images_of(data, quick=quick)
    recipe, seeds = (QUICK_RECIPE, SEEDS[:2]) if quick else (RECIPE, SEEDS)
    began = time.process_time()
    kmeans.fit(images, num_clusters=NUM_CLASSES, recipe=KMEANS, seed=seeds[0])
    found = summary(images, codes, recipe=recipe, seeds=seeds, unit=time.process_time() - began)
    value, low, high = found["accuracy"]
    goals = [
        at_least(WANTED, f"accuracy, mean of {len(seeds)} seeds", value, (low, high), unit="rate"),
        at_most(MOST_SECONDS, "all starts of a seed", [one["seconds"] for one in found["seeds"]], unit="CPU s"),
    ]
    return goals, {"records": len(codes), "recipe": asdict(recipe), **found}


def ablate(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The recipe with each part left out, on the same few seeds."""
    del workers
    torch.set_num_threads(1)
    images, codes = images_of(data, quick=quick)
    recipe, seeds = (QUICK_RECIPE, ABLATION_SEEDS) if quick else (RECIPE, ABLATION_SEEDS)
    return [], {
        name: summary(images, codes, recipe=replace(recipe, **changes), seeds=seeds, unit=1.0)
        for name, changes in PARTS.items()
    }


def summary(images: Images, codes: Codes, *, recipe: Recipe, seeds: tuple[int, ...], unit: float) -> dict[str, Any]:
    """Every seed's result, their mean, and the seed of lowest loss.

    Args:
        images: To cluster.
        codes: Their classes.
        recipe: How.
        seeds: Two at least.
        unit: CPU seconds that count as 1.
    """
    each = [
        {"seed": seed, **transformed(images, codes, recipe=recipe, seed=seed, scored_every=recipe.steps)}
        for seed in seeds
    ]
    lowest = min(each, key=lambda one: min(one["loss_by_start"]))
    return {
        "accuracy": list(mean(np.array([one["accuracy"][0] for one in each]))),
        "nmi": list(mean(np.array([one["nmi"][0] for one in each]))),
        "lowest_loss": {name: lowest[name] for name in ("seed", "accuracy", "nmi")},
        "starts_mean": float(np.mean([one["accuracy_by_start"] for one in each])),
        "times": float(np.mean([one["seconds"] for one in each])) / unit,
        "seeds": each,
    }
