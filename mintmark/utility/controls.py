"""Two controls, which show in every run that the verdict could have come out otherwise.

shuffled    the release with its classes exchanged, each for another: it must come out as `hurts`
held back   real records that pose as synthetic ones: half of the training records, added to the other half, must not
            come out as `hurts`, against that other half alone

Both take half of every batch, with hard labels, whatever was chosen for the contest. Classes are exchanged as a whole:
labels shuffled record by record leave the true class the likeliest one in every batch, and harm too little to be told
from noise. A release so far from the real records that not even wrong labels do harm (pure noise, say) fails the first
control: nothing was learnt about it. Nothing trained here is released.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from mintmark.classify.augmentation import PLAIN
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.errors import BadInput
from mintmark.intervals import CrossedMean
from mintmark.utility.arms import Addition, Fit, Material
from mintmark.utility.comparison import LEVEL, Outcome, Verdict, difference, judge

SHARE = 0.5
SHUFFLED, HALF, HELD_BACK = "shuffled", "half", "half_held_back"
CONTROL_FITS = (SHUFFLED, HALF, HELD_BACK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """What a control showed.

    Attributes:
        name: "shuffled" or "held_back".
        expected: What it must show, in words.
        found: Its difference in accuracy.
        verdict: What the contest would say of it.
        passed: Whether it showed what it must.
    """

    name: str
    expected: str
    found: CrossedMean
    verdict: Verdict
    passed: bool


def control_fits(material: Material, *, seeds: Sequence[int], recipe: Recipe, rng: np.random.Generator) -> list[Fit]:
    """What the controls train on: each of `CONTROL_FITS`, in that order, with all seeds.

    Args:
        material: The records.
        seeds: Those of the contest, so that the controls pair with its arms.
        recipe: The contest's; the controls train without augmentation.
        rng: Draws the exchange of classes and the halves.

    Raises:
        BadInput: no class has two labelled training records, so no half can be held back.
    """
    num_classes = len(material.train.classes)
    first, second = halves(material.train, rng=rng)
    exchanged = exchange_classes(material.release.codes, num_classes=num_classes, rng=rng)
    shuffled = Addition(material.release.images, exchanged, SHARE)
    held_back = Addition(second.images, second.codes, SHARE)
    trained_on = {SHUFFLED: (material.train, shuffled), HALF: (first, None), HELD_BACK: (first, held_back)}
    plain = replace(recipe, augmentation=PLAIN)
    return [
        Fit(
            name=name,
            seed=seed,
            images=base.images,
            codes=base.codes,
            addition=addition,
            recipe=plain,
            num_classes=num_classes,
        )
        for name, (base, addition) in trained_on.items()
        for seed in seeds
    ]


def judge_controls(outcomes: Mapping[str, Outcome], *, margin: float, level: float = LEVEL) -> tuple[Control, Control]:
    """What the controls showed, out of the outcomes of `CONTROL_FITS` and of the arm `real`."""
    shuffled = difference(outcomes[SHUFFLED], outcomes["real"], level=level)
    held_back = difference(outcomes[HELD_BACK], outcomes[HALF], level=level)
    of_shuffled, of_held_back = judge(shuffled, margin=margin), judge(held_back, margin=margin)
    return (
        Control(
            name="shuffled",
            expected="hurts",
            found=shuffled,
            verdict=of_shuffled,
            passed=of_shuffled == "hurts",
        ),
        Control(
            name="held_back",
            expected="anything but hurts",
            found=held_back,
            verdict=of_held_back,
            passed=of_held_back != "hurts",
        ),
    )


def exchange_classes(
    codes: Int64[np.ndarray, " n"], *, num_classes: int, rng: np.random.Generator
) -> Int64[np.ndarray, " n"]:
    """Every class for another, none for itself: one step along a random circle of the classes."""
    circle = rng.permutation(num_classes)
    other = np.empty(num_classes, np.int64)
    other[circle] = np.roll(circle, -1)
    return other[codes]


def halves(images: ImageSet, *, rng: np.random.Generator) -> tuple[ImageSet, ImageSet]:
    """The records in two halves of every class; the first takes the odd one.

    Raises:
        BadInput: no class has two records.
    """
    in_second = np.zeros(len(images), bool)
    for code in np.unique(images.codes):
        rows = rng.permutation(np.flatnonzero(images.codes == code))
        in_second[rows[: len(rows) // 2]] = True
    if not in_second.any():
        raise BadInput("train: expected a class with at least 2 labelled records to hold half of it back, got none")
    return images.take(~in_second), images.take(in_second)
