"""182 images of three look-alike classes, a GAN for each: the liver-lesion study of Frid-Adar et al. (2018) in shape.

The study had 53 cysts, 64 metastases and 65 haemangiomas, three folds, and a DCGAN a class; its images are private. Here
pullovers, coats and shirts of Fashion-MNIST stand in, in these counts: the classes that classifiers confuse most there,
as lesions are confused. What the study could not do: the same networks also answer thousands of further images.

A fold's test images answer once. A part of its training images is held back for choices (augmentation, mixing share,
soft labels) and trained on by no arm and no GAN. Two intervals are told of each figure on the 182 images:

crossed       over classifier seeds and images, for this partition into folds. It takes images as independent, though
              images of a fold share their networks, and folds share half of their training images
folds         over the folds' means, their variance raised by the ratio of test to training images (Nadeau and Bengio
              2003), with as many degrees of freedom as folds less one: wide, as three folds tell little

On the further images the interval is crossed over folds and images, with the folds' means over seeds as readers; the
overlap of training images makes it a little narrow.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy import stats
from sklearn.model_selection import StratifiedKFold, train_test_split

from bench.idx import rows_of_each
from bench.reporting import Goal, at_least
from bench.utility.fashion import CLASSIFIER, GAN, MARGIN, garments, make_crew, tuned
from bench.utility.generators import synthesise
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.intervals import crossed_mean, holm, smallest_detectable
from mintmark.utility.arms import ARMS, Material
from mintmark.utility.comparison import judge, p_value
from mintmark.utility.contest import Plan, hold
from mintmark.utility.controls import CONTROL_FITS, judge_controls
from mintmark.utility.crew import Crew, probabilities

COUNTS = {"pullover": 53, "coat": 64, "shirt": 65}
SEED = 20261127
NUM_FOLDS = 3
HELD_BACK = 0.2  # of a fold's training images, for choices
STUDY_GAIN = 0.071  # of sensitivity, 78.6 to 85.7%, by the study's abstract
PAIRS = (("augmented_synthetic", "augmented"), ("real_synthetic", "real"), ("augmented", "real"), ("synthetic", "real"))

Answers = Int64[np.ndarray, "seeds records"]
Values = Float[np.ndarray, "seeds records"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How much is trained: seeds a fold, the classifier's recipe, steps of the GANs, images a class, further images."""

    num_seeds: int
    classifier: Recipe
    gan_steps: int
    released: int
    num_further: int


FULL = Scale(num_seeds=10, classifier=replace(CLASSIFIER, steps=80), gan_steps=300, released=200, num_further=3000)
QUICK = Scale(num_seeds=3, classifier=replace(CLASSIFIER, steps=2), gan_steps=2, released=10, num_further=60)


class Fold(NamedTuple):
    """What the networks of one fold answered, by arm or control, and what was chosen for them."""

    rows: Int64[np.ndarray, " tested"]
    tested: Mapping[str, Answers]
    further: Mapping[str, Answers]
    chosen: Mapping[str, Any]


class Rating(NamedTuple):
    """A figure that is the mean of `values`, each from 0 to `highest`."""

    values: Values
    highest: float


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Accuracy, sensitivity and specificity of every arm, on the 182 images and on further ones.

    Args:
        data: A folder with Fashion-MNIST's idx files in `fashion-mnist/`.
        quick: Tiny recipes: proves that it runs.
        workers: Trainings at a time; changes no result.

    Raises:
        BadInput: a file is missing or is no idx file.
    """
    torch.set_num_threads(1)
    scale = QUICK if quick else FULL
    few, further = draw(garments(data, "train"), num_further=scale.num_further)
    crew = make_crew(workers)
    dealt = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=SEED).split(few.codes, few.codes)
    folds = [
        _fold(few, further, train, test, scale=scale, seed=SEED + number, crew=crew)
        for number, (train, test) in enumerate(dealt)
    ]
    names = (*ARMS, *CONTROL_FITS)
    tested = {name: _joined(folds, name, len(few)) for name in names}
    readers = {name: [fold.further[name] for fold in folds] for name in names}
    right = {name: np.concatenate(answers) == further.codes for name, answers in readers.items()}
    controls = judge_controls({name: one.astype(float) for name, one in right.items()}, margin=MARGIN)
    number = float(sum(one.passed for one in controls))
    goal = at_least(len(controls), "Lesions' shape: controls passed", number, (number, number), unit="controls")
    of_182 = {arm: ratings(tested[arm], few.codes, few.classes) for arm in ARMS}
    of_further = {arm: _by_fold([ratings(one, further.codes, few.classes) for one in readers[arm]]) for arm in ARMS}
    rows = [fold.rows for fold in folds]
    details = {
        "images_182": _told(of_182, folds=rows),
        "further_images": _told(of_further, folds=None),
        "study_gain": STUDY_GAIN,
        "controls": [{"name": one.name, "found": one.verdict, "passed": one.passed} for one in controls],
        "chosen": [dict(fold.chosen) for fold in folds],
        "counts": COUNTS,
        "further": len(further),
        "scale": asdict(scale),
    }
    return [goal], details | {"could_have_told": _could_have_told(details["images_182"], details["further_images"])}


def draw(pool: ImageSet, *, num_further: int) -> tuple[ImageSet, ImageSet]:
    """The 182 images, and others of the same classes, as many of each class, in random order."""
    kept = [pool.classes.index(name) for name in COUNTS]
    among = pool.take(np.isin(pool.codes, kept))
    codes = np.searchsorted(np.array(kept), among.codes)
    among = replace(among, codes=codes, classes=tuple(COUNTS))
    rng = np.random.default_rng(SEED)
    few = rows_of_each(codes, list(COUNTS.values()), rng)
    rest = np.setdiff1d(np.arange(len(among)), few)
    others = rest[rows_of_each(codes[rest], [num_further // len(kept)] * len(kept), rng)]
    return among.take(few), among.take(others)


def ratings(answers: Answers, truth: Int64[np.ndarray, " records"], classes: tuple[str, ...]) -> dict[str, Rating]:
    """Accuracy, and sensitivity and specificity of each class and their means over classes, as means over records."""
    num, num_classes = len(truth), len(classes)
    sizes = np.bincount(truth, minlength=num_classes)
    found = {"accuracy": Rating((answers == truth).astype(float), 1.0)}
    sensitivity, specificity = np.zeros(answers.shape), np.zeros(answers.shape)
    for code, name in enumerate(classes):
        of_class, said = truth == code, answers == code
        found[f"sensitivity {name}"] = Rating(said[:, of_class].astype(float), 1.0)
        found[f"specificity {name}"] = Rating((~said[:, ~of_class]).astype(float), 1.0)
        sensitivity += (said & of_class) * num / (num_classes * sizes[code])
        specificity += (~said & ~of_class) * num / (num_classes * (num - sizes[code]))
    shares = 1 / (num - sizes)
    found["sensitivity"] = Rating(sensitivity, num / (num_classes * sizes.min()))
    found["specificity"] = Rating(specificity, num / num_classes * float(shares.sum() - shares.min()))
    return found


def over_folds(values: Values, folds: list[Int64[np.ndarray, " tested"]], *, level: float = 0.95) -> list[float]:
    """The two ends of the interval over the folds' means, with the correction of Nadeau and Bengio (2003)."""
    means = np.array([values[:, rows].mean() for rows in folds])
    ratio = 1 / (len(folds) - 1)  # of test to training images
    error = float(np.sqrt((1 / len(folds) + ratio) * means.var(ddof=1)))
    half = float(stats.t.ppf(0.5 + level / 2, len(folds) - 1)) * error
    return [float(means.mean()) - half, float(means.mean()) + half]


def _fold(
    few: ImageSet, further: ImageSet, train: np.ndarray, test: np.ndarray, *, scale: Scale, seed: int, crew: Crew
) -> Fold:
    """Choose, train, and only then answer the fold's test images and the further ones."""
    parts = train_test_split(train, test_size=HELD_BACK, stratify=few.codes[train], random_state=seed)
    rows, held = (np.asarray(part) for part in parts)
    real = few.take(rows)
    recipe = replace(GAN, conditioning="per_class", batch_size=32)
    release = synthesise(real, recipe=recipe, steps=scale.gan_steps, num=scale.released * len(real.classes), seed=seed)
    material = Material(real, few.take(held), release)
    choices = tuned(material, recipe=scale.classifier, seed=seed, crew=crew)
    plan = Plan(material=material, choices=choices, recipe=scale.classifier, control_seed=seed, crew=crew)
    contest = hold(plan, seeds=np.random.SeedSequence([seed, 1]).generate_state(scale.num_seeds).tolist())

    def answers(images: ImageSet) -> dict[str, Answers]:
        return {
            name: np.stack([probabilities(one, images).argmax(axis=1) for one in networks])
            for name, networks in contest.networks.items()
        }

    chosen = {key: value for key, value in choices.facts().items() if key != "tried"}
    return Fold(rows=test, tested=answers(few.take(test)), further=answers(further), chosen=chosen)


def _joined(folds: list[Fold], name: str, num: int) -> Answers:
    """Each image's answers, by the networks of the fold that had held it out."""
    answers = np.full((len(folds[0].tested[name]), num), -1)
    for fold in folds:
        answers[:, fold.rows] = fold.tested[name]
    return answers


def _by_fold(found: list[dict[str, Rating]]) -> dict[str, Rating]:
    """Every fold's mean over its seeds as one reader."""
    return {
        name: Rating(np.stack([one[name].values.mean(axis=0) for one in found]), rating.highest)
        for name, rating in found[0].items()
    }


def _told(found: Mapping[str, dict[str, Rating]], *, folds: list[np.ndarray] | None) -> dict[str, Any]:
    """Every arm's figures, and the differences of `PAIRS`, with their p-values corrected for their number (Holm)."""
    arms = {arm: {name: _figure(one, 0.0) for name, one in figures.items()} for arm, figures in found.items()}
    p_values = holm(np.array([p_value(*(found[arm]["accuracy"].values for arm in pair)) for pair in PAIRS]))
    differences = {}
    for (first, second), corrected in zip(PAIRS, p_values.tolist(), strict=True):
        gains = {
            name: Rating(one.values - found[second][name].values, one.highest) for name, one in found[first].items()
        }
        accuracy = crossed_mean(gains["accuracy"].values, lowest=-1.0, highest=1.0)
        differences[f"{first} - {second}"] = {name: _figure(one, -one.highest) for name, one in gains.items()} | {
            "verdict": judge(accuracy, margin=MARGIN),
            "corrected_p": corrected,
            "smallest_detectable": smallest_detectable(accuracy, margin=MARGIN),
        }
        if folds is not None:
            differences[f"{first} - {second}"]["accuracy_over_folds"] = over_folds(gains["accuracy"].values, folds)
    return {"arms": arms, "differences": differences}


def _figure(one: Rating, lowest: float) -> dict[str, float]:
    found = crossed_mean(one.values, lowest=lowest, highest=one.highest)
    return {"value": found.value, "low": found.low, "high": found.high}


def _could_have_told(few: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a gain as large as the study's, or as the further images show, would have been seen on the 182 images."""
    told = {}
    for pair, small in few["differences"].items():
        shown = further["differences"][pair]["accuracy"]["value"]
        least = small["smallest_detectable"]
        told[pair] = {
            "smallest_detectable": least,
            "shown_by_further": shown,
            "it": abs(shown) >= least,
            "a_gain_as_the_study's": least <= STUDY_GAIN,
        }
    return told
