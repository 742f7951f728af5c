"""One exact blocked pass over pairs of points, which serves copies, coverage, fidelity and attacks.

Distances are Euclidean. The pass is exact: a blocked matrix product finds the pairs that matter, and their distances
are computed again from differences, so that a copy lies at exactly zero. Memory is bounded by the block, whatever the
sizes.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

BLOCK_ELEMENTS = 1 << 24  # of `nearest`; 2**22 is a quarter faster, but leaves holes in memory
TILE_ELEMENTS = 1 << 20  # of `overlap`: larger ones leave the processor's cache
MEASURED_AT_ONCE = 1 << 14  # pairs whose distances are computed again
ROUNDINGS = 16  # beside one a feature: how many lie, at most, between a pair and its squared distance by product
GROUP = 16  # columns of a row of distances that are reduced to their minimum before any is selected
SPARE_CANDIDATES = 4  # the product's rounding may reorder near-ties; these are measured exactly as well


class Neighbours(NamedTuple):
    """The nearest reference points of each query, nearest first."""

    distances: Float[torch.Tensor, "queries k"]
    indices: Int64[torch.Tensor, "queries k"]


class Overlap(NamedTuple):
    """How the balls about two sets' points hold each other's points; a point on a ball's edge is inside."""

    in_left_ball: Int64[torch.Tensor, " left"]  # right points in each left point's ball
    left_balls: Int64[torch.Tensor, " right"]  # left points' balls about each right point
    right_balls: Int64[torch.Tensor, " left"]  # right points' balls about each left point


def nearest(
    queries: Float[torch.Tensor, "queries features"],
    reference: Float[torch.Tensor, "reference features"],
    *,
    k: int = 1,
    same_set: bool = False,
    block_elements: int = BLOCK_ELEMENTS,
) -> Neighbours:
    """The k nearest reference points of each query.

    Args:
        queries: Where to search from.
        reference: Where to search.
        k: How many neighbours.
        same_set: Whether `queries` is `reference`; then no point is its own neighbour.
        block_elements: Bound on the elements of one block of distances.

    Raises:
        ValueError: there are fewer than k reference points to find, or a point is not finite.
    """
    available = len(reference) - int(same_set)
    if not 1 <= k <= available:
        raise ValueError(f"k must be between 1 and the {available} reference points, got {k}")
    if not (torch.isfinite(queries).all() and torch.isfinite(reference).all()):
        raise ValueError("queries and reference must be finite, got NaN or infinity")
    row_elements = max(len(reference), (k + SPARE_CANDIDATES) * reference.shape[1])
    rows = max(1, block_elements // row_elements)
    centre = reference.mean(dim=0)  # distances do not change; the product's rounding shrinks
    centred = reference - centre
    prepared = _Reference(reference, centre, centred, centred.square().sum(dim=1))
    blocks = [
        _block(queries[start : start + rows], prepared, k=k, own_start=start if same_set else None)
        for start in range(0, len(queries), rows)
    ]
    if not blocks:
        return Neighbours(queries.new_zeros((0, k)), torch.zeros((0, k), dtype=torch.int64))
    return Neighbours(torch.cat([block.distances for block in blocks]), torch.cat([block.indices for block in blocks]))


class _Reference(NamedTuple):
    """The reference points as given, and as the matrix product takes them."""

    points: torch.Tensor
    centre: torch.Tensor
    centred: torch.Tensor
    norms: torch.Tensor


def _block(queries: torch.Tensor, reference: _Reference, *, k: int, own_start: int | None) -> Neighbours:
    # Squared distances, less each query's own constant norm: (queries, reference).
    squared = torch.addmm(reference.norms, queries - reference.centre, reference.centred.T, alpha=-2.0)
    if own_start is not None:
        own = torch.arange(len(queries), device=queries.device)
        squared[own, own + own_start] = torch.inf
    available = squared.shape[1] - int(own_start is not None)
    candidates = _smallest(squared, min(k + SPARE_CANDIDATES, available))
    # From the points as given, not the centred ones, so that ties stay ties.
    exact = torch.linalg.vector_norm(queries[:, None] - reference.points[candidates], dim=2)
    distances, order = exact.sort(dim=1, stable=True)
    return Neighbours(distances[:, :k], candidates.gather(1, order)[:, :k])


def _smallest(values: torch.Tensor, num: int) -> torch.Tensor:
    """Columns of the smallest values of each row: (rows, num).

    They lie in those groups of columns whose own minima are smallest, so that one reduction, which is several times as
    fast as a selection, leaves few columns to select from.
    """
    width = values.shape[1] // GROUP
    if width <= num:
        return values.topk(num, largest=False).indices
    minima = values[:, : width * GROUP].unflatten(1, (GROUP, width)).amin(dim=1)
    first = minima.topk(num, largest=False).indices
    members = first[:, None] + width * torch.arange(GROUP, device=values.device)[:, None]
    rest = torch.arange(width * GROUP, values.shape[1], device=values.device).expand(len(values), -1)
    columns = torch.cat([members.flatten(1), rest], dim=1)
    return columns.gather(1, values.gather(1, columns).topk(num, largest=False).indices)


def overlap(
    left: Float[torch.Tensor, "left features"],
    right: Float[torch.Tensor, "right features"],
    *,
    left_radii: Float[torch.Tensor, " left"],
    right_radii: Float[torch.Tensor, " right"],
    tile_elements: int = TILE_ELEMENTS,
) -> Overlap:
    """Count, over all pairs at once, which points lie in which balls.

    Args:
        left: Points, each the centre of a ball.
        right: Points, each the centre of a ball.
        left_radii: Of the balls about the left points.
        right_radii: Of the balls about the right points.
        tile_elements: Bound on the elements of one tile of distances.
    """
    centre = right.mean(dim=0)
    in_left_ball, right_balls = (torch.zeros(len(left), dtype=torch.int64, device=left.device) for _ in range(2))
    left_balls = torch.zeros(len(right), dtype=torch.int64, device=left.device)
    side = max(1, math.isqrt(tile_elements))
    for top in range(0, len(left), side):
        rows = slice(top, top + side)
        for start in range(0, len(right), side):
            columns = slice(start, start + side)
            tile = _tile(left[rows], right[columns], centre)
            lefts, rights = tile.inside(left_radii[rows, None])
            in_left_ball[rows] += lefts.bincount(minlength=len(tile.left))
            left_balls[columns] += rights.bincount(minlength=len(tile.right))
            right_balls[rows] += tile.inside(right_radii[None, columns])[0].bincount(minlength=len(tile.left))
    return Overlap(in_left_ball, left_balls, right_balls)


class _Tile(NamedTuple):
    """The pairs of some rows and columns: the points, their squared distances by product, how far each may be off."""

    left: torch.Tensor
    right: torch.Tensor
    squared: torch.Tensor
    doubt: torch.Tensor

    def inside(self, radii: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The pairs within a radius, by row and column; those that the product cannot tell are measured again.

        Listed, not marked: balls hold few points, and to count marks takes longer than the product.
        """
        limit = radii.square()
        rows, columns = _true(self.squared <= limit + self.doubt)
        sure = self.squared[rows, columns] < (limit - self.doubt).expand_as(self.squared)[rows, columns]
        inside, unsure = sure, torch.nonzero(~sure)[:, 0]
        radii = radii.expand_as(self.squared)
        for some in unsure.split(MEASURED_AT_ONCE):
            distances = torch.linalg.vector_norm(self.left[rows[some]] - self.right[columns[some]], dim=1)
            inside[some] = distances <= radii[rows[some], columns[some]]
        return rows[inside], columns[inside]


def _true(marks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of the marks that are set; NumPy lists few among many several times as fast on a CPU."""
    if marks.device.type == "cpu":
        places = torch.from_numpy(np.flatnonzero(marks.numpy()))
        return places // marks.shape[1], places % marks.shape[1]
    rows, columns = torch.nonzero(marks, as_tuple=True)
    return rows, columns


def _tile(left: torch.Tensor, right: torch.Tensor, centre: torch.Tensor) -> _Tile:
    rows, columns = left - centre, right - centre
    squared = torch.addmm(columns.square().sum(dim=1), rows, columns.T, alpha=-2.0)
    squared += rows.square().sum(dim=1, keepdim=True)
    # By the size of the points as given: the centring rounds as well.
    size = left.square().sum(dim=1, keepdim=True) + right.square().sum(dim=1).max() + centre.square().sum()
    return _Tile(left, right, squared, 8 * (left.shape[1] + ROUNDINGS) * torch.finfo(squared.dtype).eps * size)
