"""Affine transformations of images, and their inverses.

An affine transformation is six numbers (a, b, c, d, e, f): the pixel at (x, y) of the result is read from
(a x + b y + c, d x + e y + f) of the source, in the coordinates of `mintmark.transformations.grids`. Knows
nothing of clusters.
"""

import torch
from jaxtyping import Float

from mintmark.transformations.grids import centres, read, read_each

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SMALLEST_DETERMINANT = 0.05  # an image shrunk twenty times over holds nothing to enlarge


class Affine:
    """The six numbers, as offsets from the identity; a `Transformation`."""

    name = "affine"
    straight = True

    def num_parameters(self, _channels: int, /) -> int:
        """Six, whatever the channels."""
        return len(IDENTITY)

    def apply(
        self, images: Float[torch.Tensor, "n s channels height width"], offsets: Float[torch.Tensor, "n m 6"]
    ) -> Float[torch.Tensor, "n m channels height width"]:
        """Images under affine transformations."""
        return read_each(images, _places(offsets + identity(offsets), *images.shape[3:]))

    def source(
        self, places: Float[torch.Tensor, "*batch 2 pixels"], offsets: Float[torch.Tensor, "n m 6"]
    ) -> Float[torch.Tensor, "n m 2 pixels"]:
        """Where what would be read at these places is read."""
        affines = (offsets + identity(offsets)).unflatten(-1, (2, 3))
        return affines[..., :2] @ places + affines[..., 2:]

    def undo(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Float[torch.Tensor, "n 6"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Images under the inverse."""
        return warp(images, inverse(offsets + identity(offsets))[:, None])[:, 0]


def identity(like: Float[torch.Tensor, "..."]) -> Float[torch.Tensor, " 6"]:
    """The transformation that changes nothing, on the device and in the type of `like`."""
    return like.new_tensor(IDENTITY)


def warp(
    images: Float[torch.Tensor, "n channels height width"], affines: Float[torch.Tensor, "n m 6"]
) -> Float[torch.Tensor, "n m channels height width"]:
    """Each image under m transformations of its own, bilinear, in one call."""
    return read(images, _places(affines, *images.shape[2:]))


def inverse(affines: Float[torch.Tensor, "*batch 6"]) -> Float[torch.Tensor, "*batch 6"]:
    """The transformations that undo these; a collapsed one is undone no further than `SMALLEST_DETERMINANT` allows."""
    a, b, c, d, e, f = affines.unbind(-1)
    determinant = a * e - b * d
    bounded = determinant.abs().clamp(min=SMALLEST_DETERMINANT).copysign(determinant)
    inverse_a, inverse_b, inverse_d, inverse_e = e / bounded, -b / bounded, -d / bounded, a / bounded
    return torch.stack(
        [
            inverse_a,
            inverse_b,
            -(inverse_a * c + inverse_b * f),
            inverse_d,
            inverse_e,
            -(inverse_d * c + inverse_e * f),
        ],
        dim=-1,
    )


def _places(affines: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return affines.unflatten(-1, (2, 3)) @ centres(height, width, like=affines)  # (n, m, 2, height * width)
