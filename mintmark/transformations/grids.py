"""Where the pixels of warped images are read, and the reading.

Coordinates run from -1 to 1 between the outer edges of an image. Pixels read from outside are 0, so images come with
their background subtracted.
"""

import torch
from jaxtyping import Float
from torch.nn import functional


def centres(
    height: int, width: int, *, like: Float[torch.Tensor, "..."], step: int = 1
) -> Float[torch.Tensor, "3 pixels"]:
    """(x, y, 1) of every pixel's centre, row by row, on the device and in the type of `like`.

    Args:
        height: Of the image.
        width: Of the image.
        like: Tells device and type.
        step: Of all rows and columns, every so manieth, from the first.
    """
    x = (2 * torch.arange(0, width, step, device=like.device, dtype=like.dtype) + 1) / width - 1
    y = (2 * torch.arange(0, height, step, device=like.device, dtype=like.dtype) + 1) / height - 1
    return torch.stack([x.repeat(len(y)), y.repeat_interleave(len(x)), torch.ones(len(x) * len(y)).to(x)])


def read(
    images: Float[torch.Tensor, "n channels height width"],
    places: Float[torch.Tensor, "n m 2 pixels"],
    *,
    step: int = 1,
) -> Float[torch.Tensor, "n m channels rows columns"]:
    """Each image read at m sets of places of its own, bilinear, in one call.

    What is read from one image is stacked along its grid's height, so that no image is copied m times.

    Args:
        images: What is read.
        places: As many as `centres` has of this step.
        step: Which rows and columns the result has: by 1 those of the images.
    """
    (num, channels, height, width), per_image = images.shape, places.shape[1]
    rows, columns = len(range(0, height, step)), len(range(0, width, step))
    grid = places.transpose(2, 3).reshape(num, per_image * rows, columns, 2)
    stacked = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return stacked.view(num, channels, per_image, rows, columns).transpose(1, 2)


def read_each(
    images: Float[torch.Tensor, "n s channels height width"],
    places: Float[torch.Tensor, "n m 2 pixels"],
    *,
    step: int = 1,
) -> Float[torch.Tensor, "n m channels rows columns"]:
    """`read` of one image at m sets of places (s is 1), or of m images at one set each (s is m)."""
    if images.shape[1] == 1:
        return read(images[:, 0], places, step=step)
    each = read(images.flatten(0, 1), places.flatten(0, 1)[:, None], step=step)
    return each[:, 0].unflatten(0, images.shape[:2])
