"""Class-balanced batches from few records. Randomness is an argument."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8

from mintmark.gan.parallel import ALONE, Group

LEAST_OF_A_CLASS = 4
Pixels = Float[torch.Tensor, "n channels height width"] | UInt8[torch.Tensor, "n channels height width"]


class Batch(NamedTuple):
    """Some images and their class codes."""

    images: Float[torch.Tensor, "n channels height width"]
    codes: Int64[torch.Tensor, " n"]


class BalancedSampler:
    """Draws batches in which classes appear equally often, however rare they are.

    A batch that does not divide by the number of classes gives its remainder to random distinct classes. A batch too
    small for `LEAST_OF_A_CLASS` of every class holds random classes, so that those it holds can be compared within.
    Records are drawn with replacement, so a class of one record and a batch larger than the data set both work. Bytes
    take a quarter of the memory of floats; only what is drawn is converted.
    """

    def __init__(self, images: Pixels, codes: Int64[torch.Tensor, " n"], num_classes: int) -> None:
        """Order the records by class.

        Args:
            images: Pixels in [-1, 1], or bytes from 0 to 255.
            codes: Their classes.
            num_classes: How many classes there are; each has a record.

        Raises:
            ValueError: a class has no record, or a code lies outside the classes.
        """
        if len(codes) == 0 or int(codes.min()) < 0 or int(codes.max()) >= num_classes:
            raise ValueError(f"codes must lie in 0..{num_classes - 1}, got {sorted(set(codes.tolist()))}")
        counts = torch.bincount(codes, minlength=num_classes)
        if (counts == 0).any():
            raise ValueError(f"every class must have a record, got none of {torch.where(counts == 0)[0].tolist()}")
        self._images = images
        self._order = codes.argsort(stable=True)
        self._counts = counts
        self._starts = counts.cumsum(0) - counts

    def draw(self, size: int, *, rng: torch.Generator, group: Group = ALONE) -> Batch:
        """The group's own rows of a batch of `size` records. `rng` is a CPU generator."""
        num_classes = len(self._counts)
        order = torch.randperm(num_classes, generator=rng)[: max(1, size // LEAST_OF_A_CLASS)]
        codes = order.repeat(-(-size // len(order)))[:size]
        places = (torch.rand(size, generator=rng, dtype=torch.float64) * self._counts[codes]).long()
        rows, codes = group.mine(self._order[self._starts[codes] + places]), group.mine(codes)
        drawn = self._images[rows.to(self._images.device)]
        images = drawn.float() / 127.5 - 1.0 if drawn.dtype == torch.uint8 else drawn
        return Batch(images, codes.to(drawn.device))
