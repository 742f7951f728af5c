"""What every transformation can do, and several in sequence."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float

from mintmark.errors import BadInput
from mintmark.transformations.affine import Affine
from mintmark.transformations.colour import Colour
from mintmark.transformations.grids import centres, read_each
from mintmark.transformations.morphological import Morphological
from mintmark.transformations.projective import Projective
from mintmark.transformations.thin_plate_spline import ThinPlateSpline
from mintmark.transformations.time_warp import TimeWarp


@runtime_checkable
class Transformation(Protocol):
    """A family of changes to images, each told by some numbers that are all 0 where nothing changes.

    Attributes:
        name: What recipes call it.
    """

    name: str

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


@runtime_checkable
class Warp(Transformation, Protocol):
    """A transformation that reads pixels elsewhere: linear in the image, it changes no value but by interpolation.

    Attributes:
        straight: Whether lines stay straight; of such a warp, any places' sources cost next to nothing.
    """

    straight: bool

    def source(
        self, places: Float[torch.Tensor, "*batch 2 pixels"], offsets: Float[torch.Tensor, "n m numbers"]
    ) -> Float[torch.Tensor, "n m 2 pixels"]:
        """Where what would be read at these places is read, in the coordinates of `mintmark.transformations.grids`."""
        ...


_ALL: tuple[Transformation, ...] = (Affine(), Projective(), ThinPlateSpline(), TimeWarp(), Colour(), Morphological())
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
    *,
    step: int = 1,
) -> Float[torch.Tensor, "n m channels rows columns"]:
    """Images under several transformations in sequence; those without offsets, the last ones, are left out.

    Warps in a row are read in one go, from where they lead together: that blurs less and costs less than to read one
    after another.

    Args:
        transformations: In sequence.
        images: One each to be changed in m ways.
        offsets: Of the first transformations.
        step: Of the result's rows and columns, every so manieth, from the first.
    """
    readings = list(_readings(list(zip(transformations, offsets, strict=False))))
    # What follows the last look at neighbouring pixels needs no more of them than the result shows.
    looks = [place for place, ((one, _), *_) in enumerate(readings) if not isinstance(one, Colour)]
    last = looks[-1] if looks else -1
    if last < 0:
        images = images[..., ::step, ::step]
    for place, reading in enumerate(readings):
        images = _read(reading, images, step=step if place == last else 1)
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


def _readings(
    pairs: Sequence[tuple[Transformation, torch.Tensor]],
) -> Iterator[list[tuple[Transformation, torch.Tensor]]]:
    """A sequence in parts of one reading each: warps up to the first bent one, and whatever is no warp alone."""
    reading: list[tuple[Transformation, torch.Tensor]] = []
    for one, numbers in pairs:
        last = reading[-1][0] if reading else None
        if last is not None and not (isinstance(one, Warp) and isinstance(last, Warp) and last.straight):
            yield reading
            reading = []
        reading.append((one, numbers))
    if reading:
        yield reading


def _read(reading: Sequence[tuple[Transformation, torch.Tensor]], images: torch.Tensor, *, step: int) -> torch.Tensor:
    first, numbers = reading[0]
    if not isinstance(first, Warp) or (len(reading) == step == 1):
        return first.apply(images, numbers)[..., ::step, ::step]
    places = centres(*images.shape[3:], like=numbers, step=step)[:2]
    for one, offsets in reversed(reading):
        assert isinstance(one, Warp)
        places = one.source(places, offsets)
    return read_each(images, places, step=step)
