"""What each arm of the contest trains on. Every arm takes as many gradient steps of the same batch size.

real                  the training records
augmented             the same, bent by the tuned classical augmentation
real_synthetic        real and synthetic records in every batch
augmented_synthetic   the same, bent by the tuned classical augmentation
synthetic             synthetic records alone, with their own hard labels and no augmentation: nothing real reaches it

A sixth arm, train real test synthetic (`trts`), asks the networks of `real` about the release and trains nothing.
Knows nothing of validation or test.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int64, UInt8

from mintmark.classify.augmentation import PLAIN, Augmentation
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.errors import BadInput

Arm = Literal["real", "augmented", "real_synthetic", "augmented_synthetic", "synthetic"]
ARMS: tuple[Arm, ...] = ("real", "augmented", "real_synthetic", "augmented_synthetic", "synthetic")
MIXED_ARMS: tuple[Arm, ...] = ("real_synthetic", "augmented_synthetic")
AUGMENTED_ARMS: tuple[Arm, ...] = ("augmented", "augmented_synthetic")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """How synthetic records enter a mixed arm.

    Attributes:
        share: Of every batch, above 0 and below 1.
        labels: "hard" takes the release's own labels; "soft" the probabilities that the same seed's network of the
            arm `augmented` gives. That teacher's steps are not in the student's budget.
    """

    share: float
    labels: Literal["hard", "soft"]

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"share must lie between 0 and 1, got {self.share}")


class Material(NamedTuple):
    """The labelled records that arms may train on, and those on which choices are made. Never test records."""

    train: ImageSet
    validation: ImageSet
    release: ImageSet


class Addition(NamedTuple):
    """Records that take a share of every batch beside the first ones."""

    images: UInt8[np.ndarray, "n height width channels"]
    labels: Int64[np.ndarray, " n"] | Float[np.ndarray, "n classes"]
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """One classifier to train, complete: whoever holds it needs nothing else.

    Attributes:
        name: Of the arm or control.
        seed: Of the training; fits of the same seed start from the same weights and draw the same real records.
        images, codes: The records that it trains on.
        addition: Further records in every batch.
        recipe: How it trains.
        num_classes: How many classes there are.
    """

    name: str
    seed: int
    images: UInt8[np.ndarray, "n height width channels"]
    codes: Int64[np.ndarray, " n"]
    addition: Addition | None
    recipe: Recipe
    num_classes: int


def arm_fit(
    arm: Arm,
    material: Material,
    *,
    seed: int,
    recipe: Recipe,
    augmentation: Augmentation,
    mixture: Mixture | None = None,
    soft_labels: Float[np.ndarray, "release classes"] | None = None,
) -> Fit:
    """What an arm trains on.

    Args:
        arm: Which.
        material: The records.
        seed: Of the training.
        recipe: How to train; its own augmentation is replaced by the arm's.
        augmentation: The tuned one, for the augmented arms.
        mixture: How synthetic records enter; mixed arms need it.
        soft_labels: A teacher's probabilities for the release; a mixture with soft labels needs them.

    Raises:
        ValueError: a mixed arm lacks its mixture, or a soft one its labels.
    """
    source = material.release if arm == "synthetic" else material.train
    addition = None
    if arm in MIXED_ARMS:
        if mixture is None or (mixture.labels == "soft" and soft_labels is None):
            raise ValueError(f"{arm} must have a mixture, and soft labels where it asks for them, got {mixture}")
        labels = material.release.codes if mixture.labels == "hard" or soft_labels is None else soft_labels
        addition = Addition(material.release.images, labels, mixture.share)
    return Fit(
        name=arm,
        seed=seed,
        images=source.images,
        codes=source.codes,
        addition=addition,
        recipe=replace(recipe, augmentation=augmentation if arm in AUGMENTED_ARMS else PLAIN),
        num_classes=len(source.classes),
    )


def check_alike(parts: dict[str, ImageSet]) -> None:
    """Refuse parts that are not of one form, or that hold nothing to learn from or to be judged by.

    Args:
        parts: Labelled records by the name a person knows them by; the first sets the form.

    Raises:
        BadInput: names the part, what it holds and what was expected.
    """
    (first_name, first), *_ = parts.items()
    for name, part in parts.items():
        if part.classes != first.classes:
            raise BadInput(f"{name}: expected the classes {list(first.classes)} of {first_name}, got {part.classes}")
        if part.shape != first.shape:
            raise BadInput(f"{name}: expected images of shape {first.shape} as in {first_name}, got {part.shape}")
        if len(part) < 2:
            raise BadInput(f"{name}: expected at least 2 labelled records, got {len(part)}")
    if len(np.unique(first.codes)) < 2:
        raise BadInput(
            f"{first_name}: expected labelled records of at least 2 classes, got {len(np.unique(first.codes))}"
        )
