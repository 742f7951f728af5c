"""One exact blocked nearest-neighbour pass, which serves copies, coverage and attacks.

Distances are Euclidean. The pass is exact: candidates come from a blocked matrix product, and the distances of those
kept are computed again from differences, so that a copy lies at exactly zero. Memory is bounded by the block, whatever
the sizes.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64

BLOCK_ELEMENTS = 1 << 24
SPARE_CANDIDATES = 4  # the product's rounding may reorder near-ties; these are measured exactly as well


class Neighbours(NamedTuple):
    """The nearest reference points of each query, nearest first."""

    distances: Float[torch.Tensor, "queries k"]
    indices: Int64[torch.Tensor, "queries k"]


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
