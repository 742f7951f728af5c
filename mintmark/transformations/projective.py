"""Projective transformations of images, and their inverses.

Eight numbers, the first eight of a matrix whose last is 1: the pixel at (x, y) of the result is read from
(u / w, v / w) of the source, where (u, v, w) is the matrix times (x, y, 1). Knows nothing of clusters.
"""

import torch
from jaxtyping import Float

from mintmark.transformations.affine import SMALLEST_DETERMINANT
from mintmark.transformations.grids import centres, read, read_each

SMALLEST_DEPTH = 0.1  # a tenth of the middle's: nothing is read from at or beyond the horizon


class Projective:
    """The eight numbers, as offsets from the identity; a `Transformation`."""

    name = "projective"
    straight = True

    def num_parameters(self, _channels: int, /) -> int:
        """Eight, whatever the channels."""
        return 8

    def apply(
        self, images: Float[torch.Tensor, "n s channels height width"], offsets: Float[torch.Tensor, "n m 8"]
    ) -> Float[torch.Tensor, "n m channels height width"]:
        """Images under projective transformations."""
        return read_each(images, _places(_matrices(offsets), *images.shape[3:]))

    def source(
        self, places: Float[torch.Tensor, "*batch 2 pixels"], offsets: Float[torch.Tensor, "n m 8"]
    ) -> Float[torch.Tensor, "n m 2 pixels"]:
        """Where what would be read at these places is read."""
        matrices = _matrices(offsets)
        return _seen(matrices[..., :2] @ places + matrices[..., 2:])

    def undo(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Float[torch.Tensor, "n 8"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Images under the inverse; a collapsed one is undone no further than `SMALLEST_DETERMINANT` allows."""
        (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in _matrices(offsets).unbind(-2))
        # The adjugate is the inverse but for a factor, which a projective transformation does not have.
        adjugate = [
            *(e * i - f * h, c * h - b * i, b * f - c * e),
            *(f * g - d * i, a * i - c * g, c * d - a * f),
            *(d * h - e * g, b * g - a * h, a * e - b * d),
        ]
        last = adjugate[-1]
        bounded = last.abs().clamp(min=SMALLEST_DETERMINANT).copysign(last)
        inverses = (torch.stack([*adjugate[:-1], bounded], dim=-1) / bounded[..., None]).unflatten(-1, (3, 3))
        return read(images, _places(inverses, *images.shape[2:])[:, None])[:, 0]


def _matrices(offsets: torch.Tensor) -> torch.Tensor:
    """(..., 3, 3), the identity where the eight offsets are zero."""
    whole = torch.cat([offsets, offsets.new_zeros(*offsets.shape[:-1], 1)], dim=-1)
    return whole.unflatten(-1, (3, 3)) + torch.eye(3, dtype=offsets.dtype, device=offsets.device)


def _places(matrices: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return _seen(matrices @ centres(height, width, like=matrices))


def _seen(along: torch.Tensor) -> torch.Tensor:
    """(..., 3, pixels) to (..., 2, pixels): what lies along each ray, at depth 1."""
    return along[..., :2, :] / along[..., 2:, :].clamp(min=SMALLEST_DEPTH)
