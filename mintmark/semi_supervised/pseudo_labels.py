"""Pseudo-labels: the classes of unlabelled records as models believe them, where they are sure (Lee 2013).

So a conditional generator learns from records that nobody labelled. Two labellers are asked, and their beliefs averaged: the
discriminator of a semi-supervised GAN, and labels spread from neighbour to neighbour in pixels.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mintmark.data.images import ImageSet
from mintmark.semi_supervised.model import SemiSupervised
from mintmark.semi_supervised.propagation import Spreading, spread_labels
from mintmark.semi_supervised.recipe import Recipe
from mintmark.semi_supervised.training import Step, train

Watch = Callable[[Iterable[Step]], Iterable[Step]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PseudoLabels:
    """How unlabelled records come by a class.

    Attributes:
        confidence: The least belief in a class with which a record takes it, from 0 to 1; what is less sure is left out.
        spreading: Of the labeller that learns nothing.
        gan: Of the labeller that learns.
    """

    confidence: float
    spreading: Spreading
    gan: Recipe

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence < 1.0:
            raise ValueError(f"confidence must lie in [0, 1), got {self.confidence}")


def pseudo_labelled(images: ImageSet, how: PseudoLabels, *, seed: int, watch: Watch = iter) -> ImageSet:
    """The labelled records as they are, and those unlabelled ones that are surely of a class, with it; in their order.

    Args:
        images: Every class has a labelled record.
        how: Who labels.
        seed: Of the labeller that learns.
        watch: Shows how far that labeller's steps are.

    Raises:
        BadInput, ValueError, FloatingPointError: as `train` in `mintmark.semi_supervised.training`.
    """
    if (images.codes >= 0).all():
        return images
    found = beliefs(images, how, seed=seed, watch=watch)
    guessed = np.where(found.max(axis=1) >= how.confidence, found.argmax(axis=1), -1)
    return replace(images, codes=np.where(images.codes >= 0, images.codes, guessed)).labelled()


def beliefs(images: ImageSet, how: PseudoLabels, *, seed: int, watch: Watch = iter) -> Float[np.ndarray, "n classes"]:
    """The mean of both labellers' probabilities of the classes, for every record, labelled or not."""
    pixels, codes = images.tensors()
    num_classes = len(images.classes)
    spread = spread_labels(
        pixels.flatten(1),
        codes,
        num_classes=num_classes,
        neighbours=min(how.spreading.neighbours, len(images)),
        alpha=how.spreading.alpha,
    )
    *_, last = watch(train(pixels, codes, num_classes=num_classes, recipe=how.gan, seed=seed))
    learnt = SemiSupervised(network=last.state.average).probabilities(pixels)
    return ((spread + learnt) / 2).numpy()
