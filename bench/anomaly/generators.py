"""AnoGAN and its kin on MNIST, one class against the rest, beside the plane of principal components.

The networks are trained anew for every class. A search costs thousands of times what a plane does, so each class is
judged by a share of the official test images, as many normals as anomalies, at random, the same for every detector. The
figure is the mean over the ten classes of the AUROC; its interval resamples test images within each class, and so covers
neither another training nor other classes.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.anomaly.detectors import GENERATOR_STEPS, networks, recipes
from bench.idx import read
from bench.reporting import Goal, at_least
from mintmark.anomaly.family import fit_members
from mintmark.data.images import ImageSet, to_unit
from mintmark.fan_out import fan_out
from mintmark.intervals import RESAMPLES, auc, resampled_aucs, resampled_counts
from mintmark.progress import track

GOAL = 0.93
KINDS = ("pca_residual", "discriminator", "fanogan", "anogan")
JUDGED = 100  # normals, and anomalies, of each class
SEED = 0
Scores = dict[str, tuple[np.ndarray, np.ndarray]]  # of anomalies and of normals, by detector


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Every detector's mean AUROC over the classes; the goal is AnoGAN's."""
    train, test = read(data / "mnist", "train"), read(data / "mnist", "t10k")
    jobs = [partial(judge, train, test, code=code, quick=quick) for code in range(1 if quick else len(train.classes))]
    found = list(track(fan_out(jobs, workers=workers), "classes", total=len(jobs)))
    return summary([scores for scores, _ in found], [seconds for _, seconds in found])


def judge(train: ImageSet, test: ImageSet, *, code: int, quick: bool) -> tuple[Scores, dict[str, float]]:
    """Every detector's scores of one class's judged images, and the processor's seconds of each and of the networks."""
    torch.set_num_threads(1)
    normals = to_unit(train.images[train.codes == code])
    foreign, own = drawn(test, code=code, num=20 if quick else JUDGED)
    start = time.process_time()
    trained = networks(normals, steps=2 if quick else GENERATOR_STEPS, seed=SEED)
    seconds, scores = {"networks": time.process_time() - start}, {}
    for kind in KINDS:
        start = time.process_time()
        (detector,) = fit_members([kind], normals, recipes=recipes(quick=quick), networks=trained, seed=SEED)
        scores[kind] = tuple(detector.score(images).double().numpy() for images in (foreign, own))
        seconds[kind] = time.process_time() - start
    return scores, seconds


def drawn(test: ImageSet, *, code: int, num: int) -> tuple[torch.Tensor, torch.Tensor]:
    """So many anomalies and normals at random, or all there are, in [-1, 1]."""
    rows = np.random.default_rng([SEED, code]).permutation(len(test))
    of_class = test.codes[rows] == code
    return to_unit(test.images[rows[~of_class][:num]]), to_unit(test.images[rows[of_class][:num]])


def summary(scores: list[Scores], seconds: list[dict[str, float]]) -> tuple[list[Goal], dict[str, Any]]:
    """Means over classes, with 95% bootstrap intervals over the test images of each class."""
    rng = np.random.default_rng(SEED)
    details = {}
    for kind in scores[0]:
        by_class = [auc(*one[kind]) for one in scores]
        means = np.mean([_resampled(*one[kind], rng) for one in scores], axis=0)
        details[kind] = {
            "auroc": float(np.mean(by_class)),
            "interval": np.quantile(means, [0.025, 0.975]).tolist(),
            "by_class": [round(one, 4) for one in by_class],
        }
    best = details["anogan"]
    goal = at_least(GOAL, "mnist: AnoGAN, mean AUROC of classes", best["auroc"], best["interval"], unit="AUROC")
    taken = {name: float(np.mean([one[name] for one in seconds])) for name in seconds[0]}
    return [goal], {"detectors": details, "processor_seconds": taken}


def _resampled(foreign: np.ndarray, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The AUROC of each resample."""
    counts = resampled_counts(len(foreign), len(own), rng, RESAMPLES)
    return np.concatenate([resampled_aucs(foreign, own, *drawn) for drawn in counts])
