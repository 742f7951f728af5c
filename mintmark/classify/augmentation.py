"""Classical augmentation of image batches: warps, flip, RandAugment, cutout, mixup.

All randomness comes from the generator that is passed in, and is drawn on the CPU, so that the same seed bends the same
images on every device. Knows nothing of labels beyond mixing them; what helps is decided by whoever tunes it.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch.nn import functional

from mintmark.classify.policy import BLACK, rand_augment


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """How far images may be bent without losing their label. Zero everywhere means none.

    Attributes:
        shift: Largest shift along each axis, as a share of the side, 0 to 1.
        rotation: Largest rotation either way, in degrees, 0 to 180.
        scale: Largest change of size either way, as a share, 0 to below 1.
        flip: Probability of a left-right flip, 0 to 1.
        cutout: Side of the square that is blackened, as a share of the image's side, 0 to 1 (DeVries and Taylor 2017).
        operations: Of RandAugment, applied to each image, 0 to 10; see `mintmark.classify.policy`.
        magnitude: Of those operations, 0 to 1.
        mixup: Parameter of the Beta distribution of the mixing weight; 0 mixes nothing (Zhang et al. 2018).
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    flip: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    operations: int = 0
    magnitude: float = 0.0

    def __post_init__(self) -> None:
        tops = {"shift": 1.0, "rotation": 180.0, "scale": 0.99, "flip": 1.0, "cutout": 1.0, "mixup": 100.0}
        tops |= {"operations": 10, "magnitude": 1.0}
        for name, top in tops.items():
            if not 0.0 <= getattr(self, name) <= top:
                raise ValueError(f"{name} must lie in 0..{top:g}, got {getattr(self, name)}")


PLAIN = Augmentation()  # images as they are


def bend(
    images: Float[torch.Tensor, "n channels height width"], augmentation: Augmentation, *, generator: torch.Generator
) -> Float[torch.Tensor, "n channels height width"]:
    """Warp, flip, apply RandAugment and cut out, each image by its own draw; mixup is not part of it.

    Args:
        images: Pixels in [-1, 1].
        augmentation: How far.
        generator: A CPU generator. Without RandAugment, as many draws are made whatever the augmentation.
    """
    draws = torch.rand((7, len(images)), generator=generator).to(images.device)
    if augmentation.shift or augmentation.rotation or augmentation.scale or augmentation.flip:
        images = _warp(images, augmentation, draws)
    if augmentation.operations:
        images = rand_augment(
            images, operations=augmentation.operations, magnitude=augmentation.magnitude, generator=generator
        )
    if augmentation.cutout:
        images = _cut_out(images, augmentation.cutout, draws[5:])
    return images


def _warp(
    images: Float[torch.Tensor, "n channels height width"],
    augmentation: Augmentation,
    draws: Float[torch.Tensor, "draws n"],
) -> Float[torch.Tensor, "n channels height width"]:
    """One bilinear resampling for shift, rotation, scale and flip together."""
    signed = draws[:4] * 2 - 1
    angle = signed[0] * math.radians(augmentation.rotation)
    size = 1 + signed[1] * augmentation.scale
    mirror = torch.where(draws[4] < augmentation.flip, -1.0, 1.0)
    height, width = images.shape[2:]
    cos, sin = angle.cos() / size, angle.sin() / size
    # affine_grid's coordinates run from -1 to 1 along each side, so a rotation must know the sides' ratio
    rows = [
        torch.stack([cos * mirror, -sin * height / width, signed[2] * 2 * augmentation.shift], dim=1),
        torch.stack([sin * mirror * width / height, cos, signed[3] * 2 * augmentation.shift], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images - BLACK, grid, padding_mode="zeros", align_corners=False) + BLACK


def _cut_out(
    images: Float[torch.Tensor, "n channels height width"], side: float, draws: Float[torch.Tensor, "2 n"]
) -> Float[torch.Tensor, "n channels height width"]:
    """Blacken one square an image; its centre lies anywhere, so that it may hang over the edge."""
    height, width = images.shape[2:]
    rows = (torch.arange(height, device=images.device) + 0.5) / height
    columns = (torch.arange(width, device=images.device) + 0.5) / width
    in_rows = (rows[None, :] - draws[0][:, None]).abs() < side / 2
    in_columns = (columns[None, :] - draws[1][:, None]).abs() < side / 2
    hole = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    return images.masked_fill(hole, BLACK)


def mix(
    images: Float[torch.Tensor, "n channels height width"],
    labels: Float[torch.Tensor, "n classes"],
    *,
    strength: float,
    generator: torch.Generator,
) -> tuple[Float[torch.Tensor, "n channels height width"], Float[torch.Tensor, "n classes"]]:
    """Mix each image and its label with another's, by one weight for the batch (Zhang et al. 2018).

    Args:
        images: Pixels in [-1, 1].
        labels: Probabilities of the classes.
        strength: Both parameters of the Beta distribution of the weight, above 0.
        generator: A CPU generator.
    """
    weight = _beta(strength, generator)
    other = torch.randperm(len(images), generator=generator).to(images.device)
    return weight * images + (1 - weight) * images[other], weight * labels + (1 - weight) * labels[other]


def _beta(strength: float, generator: torch.Generator) -> float:
    """One draw from Beta(strength, strength). torch's own cannot be given a generator, NumPy's can."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return float(np.random.default_rng(seed).beta(strength, strength))
