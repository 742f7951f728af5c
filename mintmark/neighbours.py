"""One exact blocked pass over pairs of points, which serves copies, coverage, fidelity and attacks.

Distances are Euclidean. The pass is exact: a blocked matrix product finds the pairs that matter, and their distances
are computed again from differences, so that a copy lies at exactly zero. Memory is bounded by the block, whatever the
sizes.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64

BLOCK_ELEMENTS = 1 << 24
TILE_ELEMENTS = 1 << 19  # of `overlap`: small enough for a processor's cache, which is thrice as fast as 2**24
MEASURED_AT_ONCE = 1 << 14  # pairs whose distances are computed again
ROUNDINGS = 16  # beside one a feature: how many lie, at most, between a pair and its squared distance by product
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
        ValueError: there are fewer than k reference points to find.
    """
    available = len(reference) - int(same_set)
    if not 1 <= k <= available:
        raise ValueError(f"k must be between 1 and the {available} reference points, got {k}")
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
    candidates = squared.topk(min(k + SPARE_CANDIDATES, available), largest=False).indices
    # From the points as given, not the centred ones, so that ties stay ties.
    exact = torch.linalg.vector_norm(queries[:, None] - reference.points[candidates], dim=2)
    distances, order = exact.sort(dim=1, stable=True)
    return Neighbours(distances[:, :k], candidates.gather(1, order)[:, :k])


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
            inside = tile.inside(left_radii[rows, None])
            in_left_ball[rows] += inside.sum(dim=1)
            left_balls[columns] += inside.sum(dim=0)
            right_balls[rows] += tile.inside(right_radii[None, columns]).sum(dim=1)
    return Overlap(in_left_ball, left_balls, right_balls)


class _Tile(NamedTuple):
    """The pairs of some rows and columns: the points, their squared distances by product, how far each may be off."""

    left: torch.Tensor
    right: torch.Tensor
    squared: torch.Tensor
    doubt: torch.Tensor

    def inside(self, radii: torch.Tensor) -> torch.Tensor:
        """Whether each pair lies within a radius; pairs too near to it for the product to tell are measured again."""
        limit = radii.square()
        inside = self.squared < limit - self.doubt
        rows, columns = torch.nonzero((self.squared <= limit + self.doubt) & ~inside, as_tuple=True)
        radii = radii.expand_as(self.squared)
        for some, others in zip(rows.split(MEASURED_AT_ONCE), columns.split(MEASURED_AT_ONCE), strict=True):
            distances = torch.linalg.vector_norm(self.left[some] - self.right[others], dim=1)
            inside[some, others] = distances <= radii[some, others]
        return inside


def _tile(left: torch.Tensor, right: torch.Tensor, centre: torch.Tensor) -> _Tile:
    rows, columns = left - centre, right - centre
    squared = torch.addmm(columns.square().sum(dim=1), rows, columns.T, alpha=-2.0)
    squared += rows.square().sum(dim=1, keepdim=True)
    # By the size of the points as given: the centring rounds as well.
    size = left.square().sum(dim=1, keepdim=True) + right.square().sum(dim=1).max() + centre.square().sum()
    return _Tile(left, right, squared, 8 * (left.shape[1] + ROUNDINGS) * torch.finfo(squared.dtype).eps * size)
