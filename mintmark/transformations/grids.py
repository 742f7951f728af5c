"""Where the pixels of warped images are read, and the reading.

Coordinates run from -1 to 1 between the outer edges of an image. Pixels read from outside are 0, so images come with
their background subtracted.
"""

import torch
from jaxtyping import Float
from torch.nn import functional


def centres(height: int, width: int, *, like: Float[torch.Tensor, "..."]) -> Float[torch.Tensor, "3 pixels"]:
    """(x, y, 1) of every pixel's centre, row by row, on the device and in the type of `like`."""
    x = (2 * torch.arange(width, device=like.device, dtype=like.dtype) + 1) / width - 1
    y = (2 * torch.arange(height, device=like.device, dtype=like.dtype) + 1) / height - 1
    return torch.stack([x.repeat(height), y.repeat_interleave(width), torch.ones_like(x).repeat(height)])


def read(
    images: Float[torch.Tensor, "n channels height width"], places: Float[torch.Tensor, "n m 2 pixels"]
) -> Float[torch.Tensor, "n m channels height width"]:
    """Each image read at m sets of places of its own, bilinear, in one call.

    What is read from one image is stacked along its grid's height, so that no image is copied m times.
    """
    (num, channels, height, width), per_image = images.shape, places.shape[1]
    grid = places.transpose(2, 3).reshape(num, per_image * height, width, 2)
    stacked = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return stacked.view(num, channels, per_image, height, width).transpose(1, 2)


def read_each(
    images: Float[torch.Tensor, "n s channels height width"], places: Float[torch.Tensor, "n m 2 pixels"]
) -> Float[torch.Tensor, "n m channels height width"]:
    """`read` of one image at m sets of places (s is 1), or of m images at one set each (s is m)."""
    if images.shape[1] == 1:
        return read(images[:, 0], places)
    return read(images.flatten(0, 1), places.flatten(0, 1)[:, None]).view_as(images)
