"""Harder data sets, made from grey digits by published recipes: coloured ones, and moved ones in a larger frame.

Only the recipes are published (Monnier, Groueix and Aubry 2020; affNIST, Tieleman 2013), so each making is a draw, told by
its generator. Classes and order stay those of the digits.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch.nn import functional

from mintmark.transformations.affine import inverse, warp
from mintmark.transformations.grids import centres

SIDE, WINDOW = 40, 32
ROTATION, SHEAR, SCALES = 20.0, 0.2, (0.8, 1.2)  # degrees either way, share either way, of the size
BLOCK = 4096

Grey = Float[torch.Tensor, "n 1 height width"]
Coloured = Float[torch.Tensor, "n 3 height width"]


def coloured(images: Grey, *, rng: np.random.Generator) -> Coloured:
    """Each image in one colour on another, both drawn.

    A pixel x from 0 to 1 becomes |gain * x + bias| in each channel, over the image's largest value of all channels;
    gains are uniform in [-1, 1], biases in [0, 1]. Where a gain is below its bias's negative, the channel falls to 0
    and rises again along the digit's soft edge.

    Args:
        images: In [-1, 1].
        rng: Draws three gains and three biases an image.
    """
    shape = (len(images), 3, 1, 1)
    gains, biases = (torch.from_numpy(rng.uniform(low, 1, shape)).to(images) for low in (-1, 0))
    made = (gains * (images + 1) / 2 + biases).abs()
    return 2 * made / made.amax(dim=(1, 2, 3), keepdim=True) - 1


def moved(images: Grey, *, rng: np.random.Generator) -> Float[torch.Tensor, "n 1 40 40"]:
    """Each image under an affine map of its own, in a frame of 40 by 40.

    Scales of the two axes, then a shear, then a rotation about the frame's middle, all uniform; then a shift, uniform among
    those that keep every pixel that is not black inside the frame. An image that fits nowhere stays in the middle.

    Args:
        images: In [-1, 1], square, no larger than the frame; -1 is black.
        rng: Draws six numbers an image.
    """
    edge = (SIDE - images.shape[3]) // 2
    framed = functional.pad(images + 1, (edge, SIDE - images.shape[3] - edge) * 2)
    draws = torch.from_numpy(rng.uniform(-1, 1, (len(images), 6))).to(images)
    affines = torch.cat([_forward(*pair) for pair in zip(framed.split(BLOCK), draws.split(BLOCK), strict=True)])
    return warp(framed, inverse(affines)[:, None])[:, 0] - 1


def contrast_of(images: Float[torch.Tensor, "n channels height width"]) -> Grey:
    """How far each pixel's colour lies from the image's background, over the farthest, from -1 to 1.

    The background is each channel's median over the image's frame. Of a coloured digit this is the grey one, but where a
    channel passed through 0; that a digit stands on a plain ground is all that it takes for granted.
    """
    frame = torch.cat([images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]], dim=2)
    away = images - frame.median(dim=2).values[:, :, None, None]
    far = away.square().sum(dim=1, keepdim=True).sqrt()
    return 2 * far / far.amax(dim=(2, 3), keepdim=True).clamp(min=torch.finfo(far.dtype).eps) - 1


def centred(images: Float[torch.Tensor, "n 1 side side"]) -> Float[torch.Tensor, "n 1 32 32"]:
    """The window about each image's centre of ink, to the nearest pixel; black where it reaches beyond the image.

    Args:
        images: In [-1, 1]; -1 is black, and an image of nothing else keeps its middle.
    """
    ink, side = (images[:, 0] + 1).double(), images.shape[3]
    places = torch.arange(side, dtype=torch.float64, device=images.device)
    total = ink.sum(dim=(1, 2))
    middles = torch.stack([ink.sum(dim=2) @ places, ink.sum(dim=1) @ places], dim=1) / total[:, None]
    middles = middles.where(total[:, None] > 0, (side - 1) / 2)
    corners = (middles - (WINDOW - 1) / 2).round().long() + WINDOW  # in the padded image
    rows, columns = (corners[:, axis, None] + torch.arange(WINDOW, device=images.device) for axis in (0, 1))
    padded = functional.pad(images[:, 0], (WINDOW,) * 4, value=-1.0)
    return padded[torch.arange(len(images), device=images.device)[:, None, None], rows[:, :, None], columns[:, None]][
        :, None
    ]


def _forward(framed: Grey, draws: Float[torch.Tensor, "n 6"]) -> Float[torch.Tensor, "n 6"]:
    """Where each place of an image goes, from draws in [-1, 1]."""
    middle, reach = sum(SCALES) / 2, (SCALES[1] - SCALES[0]) / 2
    angle, shear = draws[:, 0] * math.radians(ROTATION), draws[:, 1] * SHEAR
    wide, high = (middle + reach * draws[:, 2:4]).unbind(1)
    cos, sin = angle.cos(), angle.sin()
    # The rotation times the shear of x along y, times both scales.
    linear = torch.stack([cos * wide, (cos * shear - sin) * high, sin * wide, (sin * shear + cos) * high], dim=1)
    linear = linear.unflatten(1, (2, 2))
    low, top = _reach(framed[:, 0] > 0, linear)
    middles = (low + top) / 2
    room = (1 - (top - low) / 2).clamp(min=0)
    return torch.cat([linear, (room * draws[:, 4:] - middles)[:, :, None]], dim=2).flatten(1)


def _reach(
    ink: Bool[torch.Tensor, "n height width"], linear: Float[torch.Tensor, "n 2 2"]
) -> tuple[Float[torch.Tensor, "n 2"], Float[torch.Tensor, "n 2"]]:
    """The least and the largest x and y to which a linear map brings what a pixel of ink is read into."""
    places = linear @ centres(*ink.shape[1:], like=linear)[:2]  # (n, 2, pixels)
    outside = ~ink.flatten(1)[:, None]
    low = places.masked_fill(outside, math.inf).amin(dim=2)
    top = places.masked_fill(outside, -math.inf).amax(dim=2)
    # Bilinear reading spreads a pixel by one pixel each way, before the map.
    spread = 2 / ink.shape[1] * linear.abs().sum(dim=2)
    return low - spread, top + spread
