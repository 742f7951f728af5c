"""Warps of time: a series, or every row of an image alike, runs earlier or later, faster or slower.

What lies at x is read from s(x), which rises everywhere: x runs in equal stretches, in each of which s has one slope,
the exponential of an offset. So no warp folds or stops time, and the inverse is known in closed form. A series is an
image of one row, of which nothing is read but that row. Knows nothing of clusters.
"""

import math

import torch
from jaxtyping import Float

from mintmark.transformations.grids import centres, read, read_each

STRETCHES = 6  # of equal length, from edge to edge; beyond the edges the first and the last go on
LARGEST_SLOPE = 4.0  # in a stretch, time runs at most so many times as fast, or as slow


class TimeWarp:
    """Where the middle is read, the logarithm of all slopes, and what each stretch adds to it; a `Transformation`."""

    name = "time_warp"
    straight = False

    def num_parameters(self, _channels: int, /) -> int:
        """Eight, whatever the channels."""
        return 2 + STRETCHES

    def apply(
        self, images: Float[torch.Tensor, "n s channels height width"], offsets: Float[torch.Tensor, "n m 8"]
    ) -> Float[torch.Tensor, "n m channels height width"]:
        """Images under warps of time."""
        return read_each(images, self.source(centres(*images.shape[3:], like=offsets)[:2], offsets))

    def source(
        self, places: Float[torch.Tensor, "*batch 2 pixels"], offsets: Float[torch.Tensor, "n m 8"]
    ) -> Float[torch.Tensor, "n m 2 pixels"]:
        """Where what would be read at these places is read."""
        x, y = places.unbind(-2)
        # What slopes add to 1, so that no offset is no displacement to the last bit.
        displacement = torch.expm1(_log_slopes(offsets))[..., None, :] @ _within(x, _borders(x))
        moved = x + offsets[..., :1] + displacement[..., 0, :]
        return torch.stack([moved, y.expand_as(moved)], dim=-2)

    def undo(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Float[torch.Tensor, "n 8"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Images under the inverse: its borders are where the warp reads its own, and its slopes are one over the warp's."""
        x, y = centres(*images.shape[2:], like=offsets)[:2]
        slopes, borders = _log_slopes(offsets).exp(), _borders(x)
        moved = slopes @ _within(borders, borders)
        earlier = (1 / slopes)[:, None, :] @ _within(x - offsets[:, :1], moved)
        return read(images, torch.stack([earlier[:, 0], y.expand(len(images), -1)], dim=1)[:, None])[:, 0]


def _log_slopes(offsets: torch.Tensor) -> torch.Tensor:
    """(..., 8) to (..., stretches)."""
    bound = math.log(LARGEST_SLOPE)
    return (offsets[..., 1:2] + offsets[..., 2:]).clamp(-bound, bound)


def _borders(like: torch.Tensor) -> torch.Tensor:
    """Where one stretch ends and the next begins: (stretches - 1,)."""
    return torch.linspace(-1, 1, STRETCHES + 1, dtype=like.dtype, device=like.device)[1:-1]


def _within(x: torch.Tensor, borders: torch.Tensor) -> torch.Tensor:
    """How much of the way from 0 to x lies in each stretch, negative to the left.

    Args:
        x: (..., pixels).
        borders: (..., stretches - 1), rising.
    """
    edge = torch.full_like(borders[..., :1], torch.inf)
    low, high = torch.cat([-edge, borders], dim=-1)[..., None], torch.cat([borders, edge], dim=-1)[..., None]
    return x[..., None, :].clamp(low, high) - torch.zeros_like(low).clamp(low, high)
