"""The error on MNIST's test images with 100 labels and 59,900 images without, and the CPU time that it takes.

The downstream classifier teaches itself on the unlabelled images, held back where neighbours in a graph of pixels say
otherwise; the same classifier without the graph, and with the labels alone, are the controls. No GAN takes part.
The settings were chosen on other draws of the labels, with images of the 60,000 held out; see docs/decisions.md.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.decomposition import PCA

from bench.idx import read, rows_of_each
from bench.reporting import Goal, at_most
from mintmark.classify import training
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.data.images import ImageSet, to_unit
from mintmark.progress import track
from mintmark.semi_supervised.propagation import spread_labels
from mintmark.semi_supervised.self_teaching import SelfTeaching, teach_itself

NUM_CLASSES = 10
LABELS_A_CLASS = 10
SEEDS = (0, 1, 2)  # each draws other labels
MOST_ERROR, MOST_MINUTES = 2.0, 30.0  # percent; of CPU time, from the raw files to the trained classifier
CHOSEN = "self-taught, held back by neighbours"
COMPONENTS, NEIGHBOURS, ALPHA = 40, 10, 0.99
STRONG = Augmentation(shift=0.1, rotation=20.0, scale=0.2)
CLASSIFIER = training.Recipe(
    steps=2500, batch_size=64, learning_rate=5e-3, weight_decay=0.02, width=16, augmentation=STRONG
)
SELF_TEACHING = SelfTeaching(
    steps=2500,
    labelled_batch_size=32,
    batch_size=128,
    learning_rate=3e-3,
    weight_decay=0.02,
    width=16,
    ema_decay=0.998,
    weak=Augmentation(shift=0.04, rotation=5.0, scale=0.05),
    strong=STRONG,
    precision="auto",
)
Fit = Callable[[Float[torch.Tensor, "n 1 28 28"], Int64[torch.Tensor, " n"], int], Classifier]


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The classifier's error in percent, and the minutes of CPU time it took, over the draws of the labels.

    The test images answer after all training.
    """
    del workers  # CPU time is that of this process
    folder = data / "mnist"
    classifier, self_teaching = CLASSIFIER, SELF_TEACHING
    if quick:
        classifier, self_teaching = replace(classifier, steps=5), replace(self_teaching, steps=5)
    fits = {
        "labels alone": _supervised(classifier),
        "self-taught": _self_taught(self_teaching, graph=False),
        CHOSEN: _self_taught(self_teaching, graph=True),
    }
    seeds = SEEDS[:1] if quick else SEEDS
    trained = {name: [_timed(folder, fit, seed) for seed in seeds] for name, fit in fits.items()}
    test = read(folder, "t10k")
    errors = {name: [_error(one, test) for one, _ in found] for name, found in trained.items()}
    minutes = {name: [spent for _, spent in found] for name, found in trained.items()}
    goals = [
        at_most(MOST_ERROR, "MNIST, 100 labels: error", errors[CHOSEN], unit="%"),
        at_most(MOST_MINUTES, "MNIST, 100 labels: CPU time of a training", minutes[CHOSEN], unit="min"),
    ]
    details = {"errors": errors, "cpu_minutes": minutes, "seeds": list(seeds), "steps": self_teaching.steps}
    return goals, details


def _timed(folder: Path, fit: Fit, seed: int) -> tuple[Classifier, float]:
    """A classifier trained from the raw files, and the minutes of this process's CPU time that it took."""
    start = time.process_time()
    train = read(folder, "train")
    network = fit(to_unit(train.images), _few(train.codes, seed), seed)
    return network, (time.process_time() - start) / 60


def _supervised(recipe: training.Recipe) -> Fit:
    return lambda images, codes, seed: training.train_classifier(
        images, codes, num_classes=NUM_CLASSES, recipe=recipe, seed=seed
    )


def _self_taught(recipe: SelfTeaching, *, graph: bool) -> Fit:
    def fit(images: torch.Tensor, codes: torch.Tensor, seed: int) -> Classifier:
        beforehand = _spread(images, codes) if graph else None
        steps = teach_itself(images, codes, num_classes=NUM_CLASSES, recipe=recipe, seed=seed, beforehand=beforehand)
        *_, last = track(steps, f"mnist-{seed}", total=recipe.steps)
        return last.state.average

    return fit


def _spread(
    images: Float[torch.Tensor, "n 1 28 28"], codes: Int64[torch.Tensor, " n"]
) -> Float[torch.Tensor, "n classes"]:
    """Beliefs spread between neighbours in the leading components of the pixels."""
    components = PCA(COMPONENTS, svd_solver="covariance_eigh").fit_transform(images.flatten(1).numpy())
    points = torch.from_numpy(components)
    return spread_labels(points, codes, num_classes=NUM_CLASSES, neighbours=NEIGHBOURS, alpha=ALPHA)


def _error(network: Classifier, test: ImageSet) -> float:
    """The share of wrong answers, in percent."""
    answers = logits(network, to_unit(test.images)).argmax(dim=1).numpy()
    return 100 * float((answers != test.codes).mean())


def _few(known: Int64[np.ndarray, " n"], seed: int) -> Int64[torch.Tensor, " n"]:
    """Ten labels a class, -1 elsewhere."""
    few = np.full(len(known), -1)
    rows = rows_of_each(known, [LABELS_A_CLASS] * NUM_CLASSES, np.random.default_rng(seed))
    few[rows] = known[rows]
    return torch.from_numpy(few)
