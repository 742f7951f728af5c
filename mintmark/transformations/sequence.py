"""What every transformation can do, and several in sequence."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float

from mintmark.errors import BadInput
from mintmark.transformations.affine import Affine
from mintmark.transformations.colour import Colour
from mintmark.transformations.morphological import Morphological
from mintmark.transformations.projective import Projective
from mintmark.transformations.thin_plate_spline import ThinPlateSpline


@runtime_checkable
class Transformation(Protocol):
    """A family of changes to images, each told by some numbers that are all 0 where nothing changes.

    Attributes:
        name: What recipes call it.
        moves_pixels: Whether it is a warp, that is linear in the image and changes no value but by interpolation.
    """

    name: str
    moves_pixels: bool

    def num_parameters(self, channels: int, /) -> int:
        """How many numbers tell one, for images of so many channels."""
        ...

    def apply(
        self, images: Float[torch.Tensor, "n s channels height width"], offsets: Float[torch.Tensor, "n m numbers"]
    ) -> Float[torch.Tensor, "n m channels height width"]:
        """One image changed in m ways (s is 1), or each of m images in its own way (s is m)."""
        ...

    def undo(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Float[torch.Tensor, "n numbers"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Images as they were before the change, so far as that can be told."""
        ...


_ALL: tuple[Transformation, ...] = (Affine(), Projective(), ThinPlateSpline(), Colour(), Morphological())
KNOWN: dict[str, Transformation] = {one.name: one for one in _ALL}


def named(names: Sequence[str]) -> tuple[Transformation, ...]:
    """The transformations of these names.

    Raises:
        BadInput: there are none, one is unknown, or one stands twice.
    """
    if not names or len(set(names)) < len(names) or not set(names) <= set(KNOWN):
        raise BadInput(f"transformations must be different ones of {sorted(KNOWN)}, at least one, got {list(names)}")
    return tuple(KNOWN[name] for name in names)


def apply_all(
    transformations: Sequence[Transformation],
    images: Float[torch.Tensor, "n 1 channels height width"],
    offsets: Sequence[Float[torch.Tensor, "n m _"]],
) -> Float[torch.Tensor, "n m channels height width"]:
    """Images under several transformations in sequence; those without offsets, the last ones, are left out."""
    for one, numbers in zip(transformations, offsets, strict=False):
        images = one.apply(images, numbers)
    return images


def undo_all(
    transformations: Sequence[Transformation],
    images: Float[torch.Tensor, "n channels height width"],
    offsets: Sequence[Float[torch.Tensor, "n _"]],
) -> Float[torch.Tensor, "n channels height width"]:
    """What `apply_all` changed, undone from the last transformation to the first."""
    for one, numbers in reversed(list(zip(transformations, offsets, strict=False))):
        images = one.undo(images, numbers)
    return images
