"""The learning curve of real records alone, and how many of them a synthetic set is worth.

The curve is the accuracy of the arm `real` on shares of the training records, on all of them, and on all of them with
the validation records beside them: by then nothing is chosen on those any more, and only so can a gain beyond the
training records be read off what was measured. A worth beyond the measured sizes is never guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, Int64
from scipy.optimize import isotonic_regression

from mintmark.classify.augmentation import PLAIN
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.utility.arms import Fit, Material
from mintmark.utility.comparison import LEVEL, Outcome, difference

Reading = Literal["read", "below", "above", "flat"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningCurve:
    """How the real records' learning curve is measured.

    Attributes:
        fractions: Shares of the training records, rising, above 0 and below 1; all of them, and all with the validation
            records, are measured anyway.
        num_seeds: Trainings of each; at least 2.
    """

    fractions: tuple[float, ...]
    num_seeds: int

    def __post_init__(self) -> None:
        if self.num_seeds < 2:
            raise ValueError(f"num_seeds must be at least 2, got {self.num_seeds}")
        ends = (0.0, *self.fractions, 1.0)
        if any(one >= other for one, other in pairwise(ends)):
            raise ValueError(f"fractions must rise between 0 and 1, got {list(self.fractions)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """How many real records give the accuracy that an arm reached.

    Attributes:
        reading: "read" off the curve; "below" or "above" all sizes measured; "flat" where the accuracies of the smallest
            and the largest size both agree with the arm's.
        records: The number; None unless it was read.
        low, high: The ends of its interval; None where the sizes measured do not bound it on that side.
    """

    reading: Reading
    records: float | None
    low: float | None
    high: float | None


def curve_sets(material: Material, *, fractions: Sequence[float], rng: np.random.Generator) -> list[ImageSet]:
    """Records for the curve's points other than all training records: shares of every class, then all and validation.

    Each smaller set is part of each larger one.

    Args:
        material: The records.
        fractions: Rising, above 0 and below 1; at least one record of each class is taken.
        rng: Draws which.
    """
    train = material.train
    by_class = [rng.permutation(np.flatnonzero(train.codes == code)) for code in np.unique(train.codes)]
    shares = [np.concatenate([rows[: max(1, round(share * len(rows)))] for rows in by_class]) for share in fractions]
    smaller = {len(rows): train.take(np.sort(rows)) for rows in shares if len(rows) < len(train)}  # one of each size
    return [*smaller.values(), _joined(train, material.validation)]


def curve_fits(
    material: Material, *, fractions: Sequence[float], seeds: Sequence[int], recipe: Recipe
) -> dict[int, list[Fit]]:
    """What the curve's points other than all training records train on: by size, a fit a seed.

    The recipe's steps and batch size are those of the arms. Every seed draws records of its own.
    """
    fits: dict[int, list[Fit]] = {}
    for seed in seeds:
        for images in curve_sets(material, fractions=fractions, rng=np.random.default_rng([seed, 1])):
            fit = Fit(
                name=f"real_{len(images)}",
                seed=seed,
                images=images.images,
                codes=images.codes,
                addition=None,
                recipe=replace(recipe, augmentation=PLAIN),
                num_classes=len(images.classes),
            )
            fits.setdefault(len(images), []).append(fit)
    return fits


def worth(outcome: Outcome, curve: Mapping[int, Float[np.ndarray, "curve_seeds records"]]) -> Worth:
    """How many real records an arm's outcome is worth.

    At every size the arm is compared with the real records, paired by seed and record. Between sizes, difference and
    interval run straight in the logarithm of the size, after all three were made monotone (isotonic regression), as
    more real records do not harm. The worth is where the difference is zero; its interval holds the sizes whose
    interval holds zero (inversion of the test).

    Args:
        outcome: Of the arm; its first rows belong to the curve's seeds.
        curve: The outcomes of the real records alone by size; at least two sizes.
    """
    sizes = np.array(sorted(curve))
    if len(sizes) < 2:
        raise ValueError(f"curve must hold at least two sizes, got {sizes.tolist()}")
    found = [difference(outcome[: len(curve[size])], curve[size], level=LEVEL) for size in sizes.tolist()]
    value, low, high = (
        _crossing(sizes, np.array(ends))
        for ends in zip(*((one.value, one.low, one.high) for one in found), strict=True)
    )
    if low < sizes[0] and high > sizes[-1]:
        return Worth(reading="flat", records=None, low=None, high=None)
    reading = "below" if value < sizes[0] else "above" if value > sizes[-1] else "read"
    smallest, largest = float(sizes[0]), float(sizes[-1])
    return Worth(
        reading=reading,
        records=value if reading == "read" else None,
        low=None if low < smallest else min(low, largest),
        high=None if high > largest else max(high, smallest),
    )


def _crossing(sizes: Int64[np.ndarray, " sizes"], differences: Float[np.ndarray, " sizes"]) -> float:
    """The size at which falling differences pass zero: 0 where they never lie above it, infinity where they all do."""
    falling = isotonic_regression(differences, increasing=False).x
    if falling[0] <= 0:
        return 0.0
    if falling[-1] > 0:
        return float("inf")
    return float(np.exp(np.interp(0.0, falling[::-1], np.log(sizes)[::-1])))


def _joined(first: ImageSet, second: ImageSet) -> ImageSet:
    return ImageSet(
        ids=[*first.ids, *second.ids],
        codes=np.concatenate([first.codes, second.codes]),
        images=np.concatenate([first.images, second.images]),
        classes=first.classes,
    )
