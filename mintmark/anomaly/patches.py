"""Patches of a picture of any size, and pictures put together again from what was found of each patch.

Corners lie a stride apart, and one more patch ends at each far border, so that every pixel is seen. Where patches
overlap, what was found is averaged. Knows nothing of detectors.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64

from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Patching:
    """How pictures are cut.

    Attributes:
        side: Of a patch, in pixels.
        stride: From one patch to the next, in pixels; at most `side`, so that every pixel is seen.
    """

    side: int
    stride: int

    def __post_init__(self) -> None:
        if self.side < 1:
            raise BadInput(f"side: expected at least 1, got {self.side}")
        if not 1 <= self.stride <= self.side:
            raise BadInput(f"stride: expected 1 to {self.side}, the side of a patch, got {self.stride}")

    def corners(self, height: int, width: int) -> Int64[torch.Tensor, "patches 2"]:
        """The top and left of every patch, row by row.

        Raises:
            BadInput: the picture is smaller than a patch.
        """
        if min(height, width) < self.side:
            raise BadInput(f"picture: expected at least {self.side} x {self.side}, a patch, got {height} x {width}")
        return torch.cartesian_prod(self._starts(height), self._starts(width))

    def _starts(self, length: int) -> Int64[torch.Tensor, " patches"]:
        last = length - self.side
        return torch.tensor(sorted({*range(0, last, self.stride), last}))


def cut(
    picture: Float[torch.Tensor, "channels height width"],
    corners: Int64[torch.Tensor, "patches 2"],
    *,
    side: int,
) -> Float[torch.Tensor, "patches channels side side"]:
    """The patches at some corners."""
    return torch.stack([picture[:, top : top + side, left : left + side] for top, left in corners.tolist()])


def stitch(
    parts: Iterable[tuple[Float[torch.Tensor, "_patches side side"], Int64[torch.Tensor, "_patches 2"]]],
    *,
    height: int,
    width: int,
) -> Float[torch.Tensor, "height width"]:
    """What was found of each pixel, averaged over the patches that hold it.

    Args:
        parts: Maps of some patches and their corners, then of others: no more than one part need be in memory.
        height: Of the picture.
        width: Of the picture.

    Raises:
        ValueError: no patch holds some pixel.
    """
    total, times = (torch.zeros(height, width, dtype=torch.float64) for _ in range(2))
    for maps, corners in parts:
        side = maps.shape[1]
        for one, (top, left) in zip(maps, corners.tolist(), strict=True):
            total[top : top + side, left : left + side] += one
            times[top : top + side, left : left + side] += 1
    if not times.all():
        raise ValueError(f"corners must cover all of {height} x {width} pixels, left out {int((times == 0).sum())}")
    return (total / times).float()
