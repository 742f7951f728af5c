"""Fashion-MNIST with 20, 50 and 100 labelled images a class: what a GAN trained on those images alone adds.

The contest is the pipeline's own (`mintmark.utility`): the augmentation, the mixing share and soft labels are chosen on
validation, test images answer once. At the smallest size, students also see unlabelled images, which are new
information; the GAN's images are none. There is one draw of labels and one GAN a size, so the intervals speak of other
trainings of the classifier and of other test images, not of other labels or another GAN.
"""

from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.idx import read, rows_of_each
from bench.reporting import Goal, at_least
from bench.utility.digits import GAN as DIGITS_GAN
from bench.utility.generators import default_recipe, synthesise
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.gan import augmentation as gan_augmentation
from mintmark.intervals import holm
from mintmark.semi_supervised.propagation import Spreading
from mintmark.utility.arms import Material, Mixture
from mintmark.utility.choices import Choices, choose
from mintmark.utility.comparison import difference, p_value
from mintmark.utility.contest import Plan, Settled, hold, outcome, settle
from mintmark.utility.crew import Crew, train_all
from mintmark.utility.curve import curve_fits
from mintmark.utility.findings import Findings, find
from mintmark.utility.labellers import Unlabelled
from mintmark.utility.stopping import Looks
from mintmark.utility.told import facts

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SEED = 20261127
MARGIN = 0.005
FEWEST_VALIDATION = 10  # images a class; a fifth of the training images where that is more
RELEASED = 100  # synthetic images a class
NUM_TUNING_SEEDS, NUM_CURVE_SEEDS = 2, 2
FRACTIONS = (0.25, 0.5)
FLIP = 0.5
AUGMENTATIONS = (Augmentation(shift=0.0625), Augmentation(shift=0.0625, rotation=10.0, scale=0.1))
MIXTURES = (
    Mixture(share=0.25, labels="hard"),
    Mixture(share=0.5, labels="hard"),
    Mixture(share=0.5, labels="soft"),
)
GAN = default_recipe(
    generator_width=16,
    discriminator_width=8,
    batch_size=40,
    augmentation=gan_augmentation.Augmentation(translation=0.125, cutout=0.0, colour=0.0),
    ema_decay=0.99,
)
STUDENTS_GAN = replace(DIGITS_GAN, steps=300, augmentation=AUGMENTATIONS[0], ema_decay=0.99)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How much is trained.

    Attributes:
        sizes: Labelled training images a class, rising.
        num_unlabelled: Images that students see beside the smallest of them.
        num_test: Of the test images.
        num_seeds: Trainings of each arm.
        classifier: Recipe of every arm.
        gan_steps, labeller_steps: Of the GAN, and of the students' semi-supervised GAN and its network alone.
    """

    sizes: tuple[int, ...]
    num_unlabelled: int
    num_test: int
    num_seeds: int
    classifier: Recipe
    gan_steps: int
    labeller_steps: int


CLASSIFIER = Recipe(steps=120, batch_size=32, learning_rate=1e-2, weight_decay=1e-2, width=8)
FULL = Scale(
    sizes=(20, 50, 100),
    num_unlabelled=2000,
    num_test=3000,
    num_seeds=5,
    classifier=CLASSIFIER,
    gan_steps=400,
    labeller_steps=300,
)
QUICK = Scale(
    sizes=(4,),
    num_unlabelled=40,
    num_test=60,
    num_seeds=5,
    classifier=replace(CLASSIFIER, steps=2),
    gan_steps=2,
    labeller_steps=2,
)


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The contest at every size.

    Args:
        data: A folder with Fashion-MNIST's idx files in `fashion-mnist/`.
        quick: Tiny recipes: proves that it runs.
        workers: Trainings at a time; changes no result.

    Raises:
        BadInput: a file is missing or is no idx file.
    """
    torch.set_num_threads(1)
    scale = QUICK if quick else FULL
    pool, test = garments(data, "train"), garments(data, "t10k")
    test = test.take(np.random.default_rng(SEED).permutation(len(test))[: scale.num_test])
    sizes = {size: _at_size(size, pool, test, scale=scale, workers=workers) for size in scale.sizes}
    corrected = holm(np.array([one["corrected_p"]["augment_difference"] for one in sizes.values()])).tolist()
    gains = [one["augment_difference"] for one in sizes.values()]
    details = {
        "sizes": {str(size): one for size, one in sizes.items()},
        "p_corrected_over_sizes": dict(zip(map(str, sizes), corrected, strict=True)),
        "largest_gain_left_open": max(one["high"] for one in gains),
        "scale": asdict(scale),
        "intervals": "over classifier seeds and test images; one draw of labels and one GAN a size",
    }
    passed = [control["passed"] for one in sizes.values() for control in one["controls"]]
    number = float(sum(passed))
    goal = at_least(len(passed), "Fashion-MNIST: controls passed", number, (number, number), unit="controls")
    return [goal], details


def garments(data: Path, part: str) -> ImageSet:
    """The labelled images of "train" or "t10k".

    Raises:
        BadInput: a file is missing or is no idx file.
    """
    return replace(read(data / "fashion-mnist", part), classes=CLASSES)


def make_crew(workers: int) -> Crew:
    """Who trains classifiers: one CPU thread each."""
    return Crew(workers=workers, threads=1, device=torch.device("cpu"), deterministic=True)


def tuned(material: Material, *, recipe: Recipe, seed: int, crew: Crew) -> Choices:
    """What validation chooses out of this benchmark's grids."""
    return choose(
        material,
        augmentations=AUGMENTATIONS,
        flip=FLIP,
        mixtures=MIXTURES,
        recipe=recipe,
        seeds=np.random.SeedSequence([seed, 0]).generate_state(NUM_TUNING_SEEDS).tolist(),
        crew=crew,
    )


def _at_size(size: int, pool: ImageSet, test: ImageSet, *, scale: Scale, workers: int) -> dict[str, Any]:
    """The contest with `size` labelled images a class."""
    rng = np.random.default_rng([SEED, size])
    num_classes = len(pool.classes)
    num_validation = max(FEWEST_VALIDATION, size // 5)
    drawn = rows_of_each(pool.codes, [size + num_validation] * num_classes, rng).reshape(num_classes, -1)
    labelled = pool.take(drawn[:, :size].reshape(-1))
    release = synthesise(labelled, recipe=GAN, steps=scale.gan_steps, num=RELEASED * num_classes, seed=SEED + size)
    material = Material(labelled, pool.take(drawn[:, size:].reshape(-1)), release)
    rest = rng.permutation(np.setdiff1d(np.arange(len(pool)), drawn))
    hidden = pool.take(rest[: scale.num_unlabelled if size == scale.sizes[0] else 0])
    hidden = replace(hidden, codes=np.full(len(hidden), -1))
    findings, settled, choices = _contest(
        material, test, hidden, scale=scale, seed=SEED + size, crew=make_crew(workers)
    )
    return _table(findings, settled) | {
        "tuning": choices.facts(),
        "images": {"train": len(labelled), "validation": len(material.validation), "test": len(test)}
        | {"unlabelled": len(hidden), "release": len(release)},
    }


def _contest(
    material: Material, test: ImageSet, hidden: ImageSet, *, scale: Scale, seed: int, crew: Crew
) -> tuple[Findings, Settled, Choices]:
    recipe = scale.classifier
    choices = tuned(material, recipe=recipe, seed=seed, crew=crew)
    labeller = replace(STUDENTS_GAN, steps=scale.labeller_steps)
    school = Unlabelled(share=0.5, confidence=0.6, spreading=Spreading(neighbours=7, alpha=0.9), gan=labeller).school(
        hidden
    )
    plan = Plan(material=material, choices=choices, recipe=recipe, control_seed=seed, crew=crew, school=school)
    seeds: list[int] = np.random.SeedSequence([seed, 1]).generate_state(scale.num_seeds).tolist()
    contest = hold(plan, seeds=seeds)
    points = curve_fits(material, fractions=FRACTIONS, seeds=seeds[:NUM_CURVE_SEEDS], recipe=recipe)
    networks = iter(train_all(list(chain(*points.values())), crew=crew, label="learning-curve"))
    curve = {number: outcome([next(networks) for _ in fits], test) for number, fits in points.items()}
    settled = settle(contest, plan, test, seeds=seeds, looks=Looks((scale.num_seeds,)), margin=MARGIN)
    findings = find(
        settled,
        curve,
        on_release=outcome(settled.contest.networks["real"], material.release),
        test=test,
        num_train=len(material.train),
        margin=MARGIN,
        kept="synthetic",
        students=plan.students,
    )
    return findings, settled, choices


def _table(findings: Findings, settled: Settled) -> dict[str, Any]:
    """The findings as JSON values, and what synthetic images gain where neither side is augmented."""
    plain = settled.outcomes["real_synthetic"], settled.outcomes["real"]
    students = {
        name: {
            "accuracy": findings.accuracies[name]._asdict(),
            "advantage": findings.students[name].advantage._asdict(),
        }
        | told
        for name, told in facts(findings, settled)["students"].items()
    }
    return facts(findings, settled) | {
        "verdict": findings.verdict,
        "augment_difference": findings.advantage._asdict(),
        "share_difference": findings.share._asdict(),
        "trts": findings.trts._asdict(),
        "unaugmented_difference": difference(*plain)._asdict() | {"p": p_value(*plain)},
        "students": students,
    }
