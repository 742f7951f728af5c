"""Thin plate splines (Bookstein 1989): 4 x 4 control points move, and the rest of the image follows most smoothly.

An offset is how far from a control point its pixel is read. The displacement between control points is linear in the
offsets, so it is one fixed matrix, and no offset is no displacement. Knows nothing of clusters.
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch.nn import functional

from mintmark.transformations.grids import centres, read, read_each

SIDE = 4
UNDO_STEPS = (
    20  # each shrinks the error by the displacement's steepness, which is below 1 where the spline can be undone
)


class ThinPlateSpline:
    """Sixteen displacements along x, then sixteen along y, row by row; a `Transformation`."""

    name = "thin_plate_spline"
    straight = False

    def num_parameters(self, _channels: int, /) -> int:
        """Thirty-two, whatever the channels."""
        return 2 * SIDE**2

    def apply(
        self, images: Float[torch.Tensor, "n s channels height width"], offsets: Float[torch.Tensor, "n m 32"]
    ) -> Float[torch.Tensor, "n m channels height width"]:
        """Images under splines."""
        return read_each(images, self.source(centres(*images.shape[3:], like=offsets)[:2], offsets))

    def source(
        self, places: Float[torch.Tensor, "*batch 2 pixels"], offsets: Float[torch.Tensor, "n m 32"]
    ) -> Float[torch.Tensor, "n m 2 pixels"]:
        """Where what would be read at these places is read."""
        return places + _displacement(places, offsets)

    def undo(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Float[torch.Tensor, "n 32"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Images under the inverse, found by fixed-point iteration; where a spline folds the plane there is none.

        A spline bends so little that its displacement between pixels is the mean of those around; outside the image it
        is that of the edge.
        """
        pixels = centres(*images.shape[2:], like=offsets)[:2]
        displacement = _displacement(pixels, offsets).unflatten(2, images.shape[2:])  # (n, 2, height, width)
        places = pixels.expand(len(images), -1, -1)
        for _ in range(UNDO_STEPS):
            grid = places.transpose(1, 2).unflatten(1, images.shape[2:])
            here = functional.grid_sample(displacement, grid, padding_mode="border", align_corners=False)
            places = pixels - here.flatten(2)
        return read(images, places[:, None])[:, 0]


def control_points() -> Float[torch.Tensor, "2 16"]:
    """(x, y) of the control points, row by row, from edge to edge, in double precision."""
    side = torch.linspace(-1, 1, SIDE, dtype=torch.float64)
    return torch.stack([side.repeat(SIDE), side.repeat_interleave(SIDE)])


def _displacement(places: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """At (..., 2, pixels), of splines whose control points are displaced by (..., 32): (..., 2, pixels)."""
    return offsets.unflatten(-1, (2, SIDE**2)) @ _basis(places)


def _basis(places: torch.Tensor) -> torch.Tensor:
    """What each control point's displacement adds to that of a place: (..., 16, pixels)."""
    along = torch.cat(
        [_bending(places, control_points().to(places)), torch.ones_like(places[..., :1, :]), places], dim=-2
    )
    return _solution().to(places) @ along


@lru_cache(maxsize=1)
def _solution() -> Float[torch.Tensor, "16 19"]:
    """What takes bendings, 1, x and y at a place to the control points' shares there: the inverse of Bookstein's L."""
    points = control_points()
    plane = torch.cat([torch.ones_like(points[:1]), points])  # (3, 16)
    upper = torch.cat([_bending(points, points), plane.T], dim=1)
    lower = torch.cat([plane, plane.new_zeros(3, 3)], dim=1)
    return torch.linalg.inv(torch.cat([upper, lower]))[: SIDE**2]


def _bending(places: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """r^2 log r^2 between every control point and every place: (..., 16, pixels)."""
    squared = (places[..., None, :] - points[:, :, None]).square().sum(dim=-3)
    return torch.special.xlogy(squared, squared)
