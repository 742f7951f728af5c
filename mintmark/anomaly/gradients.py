"""Images as how strongly their edges point each way at each place: histograms of oriented gradients (Dalal and Triggs 2005).

Strokes and outlines that are bent or moved a little keep nearly the same features, which pixels do not. Square roots are
taken, as there, so that the strongest edges do not outweigh all others. Deviations: no blocks are normalised, and places
are weighted by a bell instead of being cut into cells. Nothing is learnt, so nothing can be learnt by heart. Knows nothing
of scores.
"""

import math

import torch
from jaxtyping import Float
from torch.nn import functional

DIRECTIONS = 8
BLURS_A_SIDE = 14  # the bell's standard deviation is the image's shorter side, divided by this
PLACES_A_SIDE = 9  # about, of the shorter side
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def gradients(images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n features"]:
    """Square roots of blurred edge strengths, 0 or more: direction after direction, each row by row.

    Args:
        images: Pixels in [-1, 1]; the strengths of their channels are added.
    """
    height, width = images.shape[2:]
    shorter = min(height, width)
    rows, columns = (
        _bells(side, max(1, round(shorter / PLACES_A_SIDE)), shorter / BLURS_A_SIDE) for side in (height, width)
    )
    return (rows.to(images) @ _strengths(images) @ columns.to(images).T).flatten(1).sqrt()


def _strengths(images: torch.Tensor) -> Float[torch.Tensor, "n directions height width"]:
    """How steeply brightness rises in each direction, 0 where it falls."""
    num, channels = images.shape[:2]
    across = torch.tensor(SOBEL) / 8
    angles = torch.arange(DIRECTIONS) * (2 * math.pi / DIRECTIONS)
    filters = angles.cos()[:, None, None] * across + angles.sin()[:, None, None] * across.T
    padded = functional.pad(images.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
    rises = functional.conv2d(padded, filters[:, None].to(images)).clamp_min(0)
    return rises.unflatten(0, (num, channels)).sum(dim=1)


def _bells(side: int, step: int, deviation: float) -> Float[torch.Tensor, "places side"]:
    """How much each pixel of a side counts at each place, every so many pixels; beyond the edge there is nothing."""
    apart = torch.arange(0, side, step)[:, None] - torch.arange(side)
    return torch.exp(-(apart / deviation).square() / 2) / (deviation * math.sqrt(2 * math.pi))
