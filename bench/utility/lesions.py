"""182 images of three classes that look alike, in the shape of the liver-lesion study (Frid-Adar et al. 2018).

The study's tomographies are not public. Pullovers, coats and shirts of Fashion-MNIST take the place of 53 cysts, 64 metastases
and 65 haemangiomas: greyscale, small, easily confused. As in the study: threefold cross-validation, a generator a class,
sensitivity and specificity. Beyond it: ten trainings of each arm, intervals over records and trainings, and the same networks
asked about thousands of further images, to see what 182 could have told.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from bench.reporting import Goal
from bench.utility.contests import CPU, HARD, points
from bench.utility.generators import default_recipe, synthesise
from bench.utility.idx import read
from mintmark.classify.augmentation import PLAIN, Augmentation
from mintmark.classify.networks import Classifier
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.progress import track
from mintmark.utility.arms import Arm, Material, Mixture, arm_fit
from mintmark.utility.choices import choose
from mintmark.utility.comparison import difference
from mintmark.utility.crew import Crew, probabilities, train_all

COUNTS = {"2": 53, "4": 64, "6": 65}  # pullover, coat, shirt
FOLDS, NUM_SEEDS, VALIDATION_SHARE = 3, 10, 0.2
GAN_STEPS, DRAWN, NUM_MORE = 600, 900, 3000
SEED = 0
ARMS: tuple[Arm, ...] = ("real", "augmented", "real_synthetic", "augmented_synthetic")
AUGMENTATIONS = (PLAIN, Augmentation(mixup=0.3), Augmentation(flip=0.5, shift=0.05, rotation=10.0, scale=0.1))
MIXTURES = (HARD, Mixture(share=0.25, labels="hard"))
CLASSIFIER = Recipe(steps=150, batch_size=64, learning_rate=1.0e-2, weight_decay=1.0e-2, width=16)


class Answers(NamedTuple):
    """What every training of each arm answers: to each of the 182 records once, and to further ones."""

    truth: Int64[np.ndarray, " records"]
    answers: dict[Arm, Int64[np.ndarray, "seeds records"]]
    more: dict[Arm, Float[np.ndarray, "seeds more"]]


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """No goal stands here: the table, whatever it says."""
    found = crossed(data, quick=quick, workers=workers)
    details: dict[str, Any] = {"seeds": 2 if quick else NUM_SEEDS, "folds": FOLDS, "arms": {}}
    right = {arm: (answers == found.truth).astype(float) for arm, answers in found.answers.items()}
    for arm in ARMS:
        details["arms"][arm] = {
            "accuracy": round(100 * float(right[arm].mean()), 2),
            "accuracy_on_more": round(100 * float(found.more[arm].mean()), 2),
            "sensitivity": _sensitivity(found.answers[arm], found.truth),
            "specificity": _specificity(found.answers[arm], found.truth),
            "beyond_augmented": points(difference(right[arm], right["augmented"])),
            "beyond_augmented_on_more": points(difference(found.more[arm], found.more["augmented"])),
        }
    return [], details


def crossed(data: Path, *, quick: bool, workers: int) -> Answers:
    """Threefold cross-validation; a seed's row joins the three networks of that seed, each on its own fold."""
    images, more = _draw(read(data / "fashion-mnist", "train"))
    num_seeds = 2 if quick else NUM_SEEDS
    fold_of = np.random.default_rng([SEED, 1]).permutation(np.arange(len(images)) % FOLDS)
    answers: dict[Arm, np.ndarray] = {arm: np.zeros((num_seeds, len(images)), np.int64) for arm in ARMS}
    beyond: dict[Arm, np.ndarray] = {arm: np.zeros((num_seeds, len(more))) for arm in ARMS}
    for fold in track(range(FOLDS), "folds"):
        held = images.take(fold_of == fold)
        networks = _fold(images.take(fold_of != fold), fold=fold, quick=quick, workers=workers)
        for arm, trained in networks.items():
            for seed, network in enumerate(trained):
                answers[arm][seed, fold_of == fold] = probabilities(network, held).argmax(axis=1)
                beyond[arm][seed] += (probabilities(network, more).argmax(axis=1) == more.codes) / FOLDS
    return Answers(truth=images.codes, answers=answers, more=beyond)


def _fold(images: ImageSet, *, fold: int, quick: bool, workers: int) -> dict[Arm, list[Classifier]]:
    """The trained networks of every arm; choices on a fifth of the fold's training images, the generator sees the rest."""
    rng = np.random.default_rng([SEED, 2, fold])
    rows = rng.permutation(len(images))
    cut = int(VALIDATION_SHARE * len(images))
    validation, train = images.take(rows[:cut]), images.take(rows[cut:])
    release = synthesise(
        train,
        recipe=default_recipe(conditioning="per_class"),
        steps=2 if quick else GAN_STEPS,
        num=60 if quick else DRAWN,
        seed=fold,
    )
    crew = Crew(workers=workers, threads=1, device=CPU, deterministic=True)
    recipe = replace(CLASSIFIER, steps=3) if quick else CLASSIFIER
    material = Material(train, validation, release)
    choices = choose(
        material,
        augmentations=AUGMENTATIONS,
        flip=0.0,
        mixtures=MIXTURES,
        recipe=recipe,
        seeds=[1000, 1001],
        crew=crew,
    )
    seeds = range(2 if quick else NUM_SEEDS)
    fits = [
        arm_fit(
            arm,
            material,
            seed=seed,
            recipe=recipe,
            augmentation=choices.augmentation,
            mixture=choices.mixtures.get(arm),
        )
        for arm in ARMS
        for seed in seeds
    ]
    trained = train_all(fits, crew=crew, label="arms")
    return {arm: trained[place * len(seeds) : (place + 1) * len(seeds)] for place, arm in enumerate(ARMS)}


def _draw(source: ImageSet) -> tuple[ImageSet, ImageSet]:
    """The 182 records, and further ones of the same classes."""
    rng = np.random.default_rng(SEED)
    some, more = [], []
    for name, count in COUNTS.items():
        rows = rng.permutation(np.flatnonzero(source.codes == source.classes.index(name)))
        some.append(rows[:count])
        more.append(rows[count : count + NUM_MORE // len(COUNTS)])
    return _renumbered(source.take(np.concatenate(some))), _renumbered(source.take(np.concatenate(more)))


def _renumbered(images: ImageSet) -> ImageSet:
    wanted = np.array([images.classes.index(name) for name in COUNTS])
    return replace(images, codes=np.searchsorted(wanted, images.codes), classes=tuple(COUNTS))


def _sensitivity(answers: Int64[np.ndarray, "seeds records"], truth: Int64[np.ndarray, " records"]) -> list[float]:
    """Of each class, the share that is called so, in percent."""
    return [round(100 * float((answers[:, truth == code] == code).mean()), 2) for code in range(len(COUNTS))]


def _specificity(answers: Int64[np.ndarray, "seeds records"], truth: Int64[np.ndarray, " records"]) -> list[float]:
    """Of the records of the other classes, the share that is not called so, in percent."""
    return [round(100 * float((answers[:, truth != code] != code).mean()), 2) for code in range(len(COUNTS))]
