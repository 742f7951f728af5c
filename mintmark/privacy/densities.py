"""How densely samples lie about a record: kernel densities and counts of neighbours.

Points are rows in a space of few dimensions and comparable units, such as whitened principal components. Knows nothing
of attacks, models or records.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float

from mintmark.neighbours import nearest

BLOCK_ELEMENTS = 1 << 22
SMALLEST_DISTANCE = 1e-6


def scott_bandwidth(num_points: int, *, dimensions: int) -> float:
    """The standard deviation of the kernels, where the points have variance 1: n^(-1 / (d + 4)) (Scott 1992, 6.42)."""
    return num_points ** (-1.0 / (dimensions + 4))


def log_density(
    queries: Float[torch.Tensor, "queries d"], points: Float[torch.Tensor, "points d"], *, bandwidth: float
) -> Float[np.ndarray, " queries"]:
    """The logarithm of the density of a mixture of equal Gaussian kernels, one about each point."""
    dimensions = points.shape[1]
    constant = math.log(len(points)) + dimensions * math.log(bandwidth * math.sqrt(2 * math.pi))
    parts = [
        (-0.5 * (distances / bandwidth).square()).double().logsumexp(dim=1) for distances in _blocks(queries, points)
    ]
    return (torch.cat(parts) - constant).numpy()


def neighbourhood_mass(
    queries: Float[torch.Tensor, "queries d"], points: Float[torch.Tensor, "points d"]
) -> Float[np.ndarray, " queries"]:
    """The points near each query, nearer ones counting more: the mean of log(radius / distance) over those within.

    The radius is the median over all queries of the distance to the nearest point, so that half of them have a
    neighbour (Hilprecht et al. 2019, the Monte Carlo estimate with distances, and the median heuristic).

    Returns:
        At least 0; 0 where no point lies within the radius.
    """
    radius = nearest(queries, points).distances[:, 0].quantile(0.5).clamp_min(SMALLEST_DISTANCE)
    parts = [
        (radius / distances.clamp_min(SMALLEST_DISTANCE)).log().clamp_min(0.0).mean(dim=1)
        for distances in _blocks(queries, points)
    ]
    return torch.cat(parts).double().numpy()


def _blocks(queries: torch.Tensor, points: torch.Tensor) -> Iterator[torch.Tensor]:
    """Distances of some queries at a time to all points, from differences: a copy must lie at zero."""
    for some in queries.split(max(1, BLOCK_ELEMENTS // max(1, len(points)))):
        yield torch.cdist(some, points, compute_mode="donot_use_mm_for_euclid_dist")
