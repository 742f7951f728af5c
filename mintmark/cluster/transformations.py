"""Affine transformations of images, and their inverses.

An affine transformation is six numbers (a, b, c, d, e, f): the pixel at (x, y) of the result is read from
(a x + b y + c, d x + e y + f) of the source, in coordinates that run from -1 to 1 between the outer edges of the image.
Pixels read from outside are 0, so images come with their background subtracted. Knows nothing of clusters.
"""

import torch
from jaxtyping import Float
from torch.nn import functional

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SMALLEST_DETERMINANT = 0.05  # an image shrunk twenty times over holds nothing to enlarge


def identity(like: Float[torch.Tensor, "..."]) -> Float[torch.Tensor, " 6"]:
    """The transformation that changes nothing, on the device and in the type of `like`."""
    return like.new_tensor(IDENTITY)


def warp(
    images: Float[torch.Tensor, "n channels height width"], affines: Float[torch.Tensor, "n m 6"]
) -> Float[torch.Tensor, "n m channels height width"]:
    """Each image under m transformations of its own, bilinear, in one call.

    The transformed images of one source are stacked along its grid's height, so that no source is copied m times.
    """
    (num, channels, height, width), per_image = images.shape, affines.shape[1]
    places = affines.unflatten(-1, (2, 3)) @ _homogeneous(height, width, like=affines)  # (n, m, 2, height * width)
    grid = places.transpose(2, 3).reshape(num, per_image * height, width, 2)
    stacked = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return stacked.view(num, channels, per_image, height, width).transpose(1, 2)


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


def _homogeneous(height: int, width: int, *, like: torch.Tensor) -> torch.Tensor:
    """(x, y, 1) of every pixel's centre, row by row: (3, height * width)."""
    x = (2 * torch.arange(width, device=like.device, dtype=like.dtype) + 1) / width - 1
    y = (2 * torch.arange(height, device=like.device, dtype=like.dtype) + 1) / height - 1
    return torch.stack([x.repeat(height), y.repeat_interleave(width), torch.ones_like(x).repeat(height)])
