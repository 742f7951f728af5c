"""RandAugment on tensors: a few operations an image, drawn from a fixed list, all of one strength (Cubuk et al. 2020).

Every image draws its own operations, on the CPU, from the generator that is passed in.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch.nn import functional

BLACK = -1.0  # what lies beyond an image's edge
WARPS = ("shift_x", "shift_y", "shear_x", "shear_y", "rotate")
# at full magnitude: share of the side (twice in the grid's units), slope, radians
LARGEST = {"shift_x": 0.6, "shift_y": 0.6, "shear_x": 0.3, "shear_y": 0.3, "rotate": 0.524}
TONES = ("brightness", "contrast", "sharpness", "posterise", "solarise", "autocontrast")
OPERATIONS = ("identity", *WARPS, *TONES)
LARGEST_TONE = 0.9  # of brightness, contrast and sharpness: a factor of 0.1 to 1.9
LEAST_BITS = 4  # that posterising leaves

Images = Float[torch.Tensor, "n channels height width"]


def rand_augment(images: Images, *, operations: int, magnitude: float, generator: torch.Generator) -> Images:
    """Apply some operations to each image, one after another.

    Args:
        images: Pixels in [-1, 1].
        operations: How many; each is drawn anew, with equal chances.
        magnitude: Of all of them, 0 to 1; those that have a direction draw it.
        generator: A CPU generator.
    """
    for _ in range(operations):
        drawn = torch.rand((2, len(images)), generator=generator).to(images.device)
        chosen = (drawn[0] * len(OPERATIONS)).long()
        signed = torch.where(drawn[1] < 0.5, -magnitude, magnitude)
        images = _warped(images, chosen, signed)
        images = _toned(images, chosen, signed)
    return images


def _warped(images: Images, chosen: Int64[torch.Tensor, " n"], signed: Float[torch.Tensor, " n"]) -> Images:
    """The images that drew a warp, warped; the others untouched, for even an idle resampling changes bits."""
    rows = torch.nonzero((chosen >= 1) & (chosen <= len(WARPS))).flatten()
    if not len(rows):
        return images
    amount = {
        name: torch.where(chosen[rows] == OPERATIONS.index(name), signed[rows] * LARGEST[name], 0.0) for name in WARPS
    }
    height, width = images.shape[2:]
    cos, sin = amount["rotate"].cos(), amount["rotate"].sin()
    # affine_grid's coordinates run from -1 to 1 along each side, so a rotation must know the sides' ratio
    matrix = [
        torch.stack([cos, amount["shear_x"] - sin * height / width, amount["shift_x"]], dim=1),
        torch.stack([amount["shear_y"] + sin * width / height, cos, amount["shift_y"]], dim=1),
    ]
    taken = images[rows]
    grid = functional.affine_grid(torch.stack(matrix, dim=1), list(taken.shape), align_corners=False)
    warped = functional.grid_sample(taken - BLACK, grid, padding_mode="zeros", align_corners=False) + BLACK
    return images.index_copy(0, rows, warped)


def _toned(images: Images, chosen: Int64[torch.Tensor, " n"], signed: Float[torch.Tensor, " n"]) -> Images:
    """The images that drew a change of tone, changed."""
    for name in TONES:
        rows = torch.nonzero(chosen == OPERATIONS.index(name)).flatten()
        if len(rows):
            light = (images[rows] + 1) / 2
            changed = _TONE[name](light, signed[rows, None, None, None])
            images = images.index_copy(0, rows, changed.clamp(0, 1) * 2 - 1)
    return images


def _contrast(light: Images, signed: torch.Tensor) -> Images:
    middle = light.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (light - middle) * (1 + LARGEST_TONE * signed)


def _sharpness(light: Images, signed: torch.Tensor) -> Images:
    padded = functional.pad(light, (1, 1, 1, 1), mode="replicate")
    return light + LARGEST_TONE * signed * (light - functional.avg_pool2d(padded, 3, stride=1))


def _posterise(light: Images, signed: torch.Tensor) -> Images:
    step = 2.0 ** torch.round((8 - LEAST_BITS) * signed.abs())
    return torch.floor(light * 255 / step) * step / 255


def _autocontrast(light: Images) -> Images:
    darkest, lightest = light.amin(dim=(1, 2, 3), keepdim=True), light.amax(dim=(1, 2, 3), keepdim=True)
    return torch.where(lightest > darkest, (light - darkest) / (lightest - darkest).clamp(min=1e-6), light)


_TONE: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "brightness": lambda light, signed: light * (1 + LARGEST_TONE * signed),
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterise": _posterise,
    "solarise": lambda light, signed: torch.where(light > 1 - signed.abs(), 1 - light, light),
    "autocontrast": lambda light, _: _autocontrast(light),
}
