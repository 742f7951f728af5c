"""Differentiable augmentation of what the discriminator sees (Zhao et al. 2020, "DiffAugment").

The discriminator judges D(T(x)) of real and fake images alike, in both players' steps, so that few real images cannot
be learnt by heart and the generator does not learn to draw augmented ones. Randomness is an argument.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64

from mintmark.gan.parallel import ALONE, Group

Images = Float[torch.Tensor, "n channels height width"]
COLOUR_CHANNELS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """How strongly images are augmented; 0 switches a transformation off.

    Attributes:
        translation: Largest shift along each side, as a share of that side; what enters is black (-1).
        cutout: Side of the blanked rectangle, as a share of each side.
        colour: Largest change of brightness; saturation and contrast are scaled by up to 1 +- this. Three channels only.
    """

    translation: float
    cutout: float
    colour: float

    def __post_init__(self) -> None:
        for key in ("translation", "cutout", "colour"):
            if not 0 <= getattr(self, key) <= 1:
                raise ValueError(f"{key} must lie between 0 and 1, got {getattr(self, key)}")


NONE = Augmentation(translation=0.0, cutout=0.0, colour=0.0)


def augment(
    images: Images,
    augmentation: Augmentation,
    *,
    rng: torch.Generator,
    probability: float | None = None,
    group: Group = ALONE,
) -> Images:
    """The images, each under its own random transformation, differentiable in the images.

    Args:
        images: Pixels in [-1, 1].
        augmentation: How strongly.
        rng: A CPU generator, whatever device the images are on.
        probability: With which each transformation befalls an image, by itself (Karras et al. 2020, section 2.2);
            None for always, without a draw.
        group: The processes of which each holds its rows of the images; they draw for all rows alike.
    """

    def some(before: Images, after: Images) -> Images:
        if probability is None:
            return after
        draws = group.mine(torch.rand((len(images) * group.size, 1, 1, 1), generator=rng))
        return torch.where((draws < probability).to(images.device), after, before)

    if augmentation.colour > 0 and images.shape[1] == COLOUR_CHANNELS:
        images = some(images, recolour(images, augmentation.colour, rng=rng, group=group))
    if augmentation.translation > 0:
        images = some(images, translate(images, augmentation.translation, rng=rng, group=group))
    if augmentation.cutout > 0:
        images = some(images, cut_out(images, augmentation.cutout, rng=rng, group=group))
    return images


def recolour(images: Images, strength: float, *, rng: torch.Generator, group: Group = ALONE) -> Images:
    """Brightness moved, saturation and contrast scaled, by uniform draws."""
    everything = torch.rand((3, len(images) * group.size, 1, 1, 1), generator=rng)
    draws = ((torch.stack([group.mine(one) for one in everything]) * 2 - 1) * strength).to(images.device)
    images = images + draws[0]
    grey = images.mean(dim=1, keepdim=True)
    images = (images - grey) * (1 + draws[1]) + grey
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - level) * (1 + draws[2]) + level


def translate(images: Images, share: float, *, rng: torch.Generator, group: Group = ALONE) -> Images:
    """Shift by whole pixels, uniformly up to `share` of each side."""
    num, _, height, width = images.shape
    down, right = int(height * share + 0.5), int(width * share + 0.5)
    rows = _integers(-down, down, num, rng, group) + torch.arange(height)
    columns = _integers(-right, right, num, rng, group) + torch.arange(width)
    inside = _within(rows, height)[:, None, :, None] & _within(columns, width)[:, None, None, :]
    sources_down = rows.clamp(0, height - 1).to(images.device)[:, None, :, None].expand_as(images)
    sources_right = columns.clamp(0, width - 1).to(images.device)[:, None, None, :].expand_as(images)
    # two gathers: their backward is deterministic, unlike that of advanced indexing on several threads
    shifted = images.gather(2, sources_down).gather(3, sources_right)
    return torch.where(inside.to(images.device), shifted, -1.0)


def cut_out(images: Images, share: float, *, rng: torch.Generator, group: Group = ALONE) -> Images:
    """Grey (0) over a rectangle of `share` of each side, its centre uniform over the image."""
    num, _, height, width = images.shape
    inside_rows = _inside(height, share, num, rng, group)
    inside_columns = _inside(width, share, num, rng, group)
    kept = ~(inside_rows[:, :, None] & inside_columns[:, None, :])
    return images * kept[:, None].to(images)


def _inside(side: int, share: float, num: int, rng: torch.Generator, group: Group) -> torch.Tensor:
    """(num, side) whether a pixel lies in a window of `share` of the side about a random centre."""
    length = int(side * share + 0.5)
    first = _integers(0, side - 1, num, rng, group) - length // 2
    places = torch.arange(side)
    return (places >= first) & (places < first + length)


def _within(places: torch.Tensor, side: int) -> torch.Tensor:
    return (places >= 0) & (places < side)


def _integers(low: int, high: int, num: int, rng: torch.Generator, group: Group) -> Int64[torch.Tensor, "num 1"]:
    return group.mine(torch.randint(low, high + 1, (num * group.size, 1), generator=rng))
