"""Does a generator help that has seen the few labelled images alone? Fashion-MNIST with 20, 50 and 100 of a class.

The contest is the pipeline's: augmentation, share and soft labels are chosen on as many validation images as a user would
have, and the test images answer once. At the smallest size, students also learn from images without a label.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.reporting import Goal
from bench.utility.contests import Rules, contest, table
from bench.utility.digits import GAN
from bench.utility.generators import default_recipe, synthesise
from bench.utility.idx import few_of_each, read
from mintmark.classify.augmentation import PLAIN, Augmentation
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.semi_supervised.propagation import Spreading
from mintmark.utility.arms import Material, Mixture
from mintmark.utility.labellers import Unlabelled

SIZES = (20, 50, 100)
VALIDATION_OF_EACH, NUM_TEST, NUM_UNLABELLED = 10, 3000, 2000
GAN_STEPS, DRAWN = 1000, 2000
SEED = 0  # of the draw of labels; 100 and on were development's
AUGMENTATIONS = (
    PLAIN,
    Augmentation(mixup=0.3),
    Augmentation(flip=0.5),
    Augmentation(shift=0.05, rotation=5.0, scale=0.05),
)
MIXTURES = (Mixture(share=0.25, labels="hard"), Mixture(share=0.5, labels="soft"))
CLASSIFIER = Recipe(steps=200, batch_size=64, learning_rate=1.0e-2, weight_decay=1.0e-2, width=16)
NUM_SEEDS = 5
UNLABELLED = Unlabelled(
    share=0.5, confidence=0.6, spreading=Spreading(neighbours=7, alpha=0.9), gan=replace(GAN, steps=1000)
)


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """No goal stands here: the whole table, whatever it says."""
    sizes = SIZES[:1] if quick else SIZES
    found = {f"{size} of each": run(data, size=size, quick=quick, workers=workers) for size in sizes}
    found[f"{sizes[0]} of each, with {NUM_UNLABELLED} unlabelled"] = run(
        data, size=sizes[0], quick=quick, workers=workers, unlabelled=True
    )
    return [], found


def run(
    data: Path, *, size: int, quick: bool, workers: int, unlabelled: bool = False, seed: int = SEED
) -> dict[str, Any]:
    """One contest, as a table."""
    train, test = (read(data / "fashion-mnist", part) for part in ("train", "t10k"))
    rng = np.random.default_rng(seed)
    rows = few_of_each(train, size + VALIDATION_OF_EACH, rng=rng)
    of_each = np.arange(len(rows)) % (size + VALIDATION_OF_EACH)
    labelled = train.take(rows[of_each < size])
    validation = train.take(rows[of_each >= size])
    others = train.take(rng.permutation(np.setdiff1d(np.arange(len(train)), rows))[:NUM_UNLABELLED])
    release = synthesise(
        labelled, recipe=default_recipe(), steps=3 if quick else GAN_STEPS, num=200 if quick else DRAWN, seed=seed
    )
    few = replace(UNLABELLED, gan=replace(UNLABELLED.gan, steps=3)) if quick else UNLABELLED
    rules = Rules(
        recipe=replace(CLASSIFIER, steps=3) if quick else CLASSIFIER,
        num_seeds=NUM_SEEDS,
        augmentations=AUGMENTATIONS,
        mixtures=MIXTURES,
        workers=workers,
    )
    settled, findings, choices = contest(
        Material(labelled, validation, release),
        test.take(rng.permutation(len(test))[: 100 if quick else NUM_TEST]),
        rules,
        seed=seed,
        school=few.school(_hidden(others)) if unlabelled else None,
    )
    return table(findings, settled, choices)


def _hidden(images: ImageSet) -> ImageSet:
    return replace(images, codes=np.full(len(images), -1))
