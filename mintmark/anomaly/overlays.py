"""A picture with its heat beside it, as pixels. Knows nothing of how the heat came about."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib import colormaps

from mintmark.data.pictures import Picture

COLOURS = "inferno"
LEAST = 0.99  # share of the pixels of good pictures that show no heat at all
COVER = 0.8  # of the picture, by full heat
GAP = 4  # pixels between the two


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """What heat shows as nothing, and what as full."""

    cold: float
    hot: float


def scale_of(good: Sequence[Float[torch.Tensor, "_height _width"]]) -> Scale:
    """From where 99 in 100 pixels of good pictures are cooler, to the hottest of them all."""
    pixels = np.concatenate([one.numpy().ravel() for one in good])
    cold, hot = float(np.quantile(pixels, LEAST)), float(pixels.max())
    return Scale(cold=cold, hot=hot if hot > cold else cold + 1.0)


def overlay(
    picture: Picture, heat: Float[torch.Tensor, "_height _width"], *, scale: Scale
) -> UInt8[np.ndarray, "_height _wide 3"]:
    """The picture, and right of it the picture under its heat, both in RGB and in their own size."""
    plain = np.broadcast_to(picture, (*picture.shape[:2], 3)).astype(np.float64)
    shown = np.clip((heat.numpy().astype(np.float64) - scale.cold) / (scale.hot - scale.cold), 0.0, 1.0)
    colours = colormaps[COLOURS](shown)[:, :, :3] * 255.0
    cover = COVER * shown[:, :, None]
    hot = (1.0 - cover) * plain + cover * colours
    gap = np.full((picture.shape[0], GAP, 3), 255.0)
    return np.concatenate([plain, gap, hot], axis=1).round().astype(np.uint8)
