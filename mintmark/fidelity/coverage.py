"""Do synthetic records lie where the real ones do, and everywhere they do? Per record, from one pass over all pairs.

A set's manifold is the union of balls about its records, each as wide as the distance to its k-th nearest other record
of the set. Distances are Euclidean, taken from differences: a copy lies at exactly 0, and ties count as inside. Knows
nothing of what the features are: pixels, or what a network made of them.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float

from mintmark.neighbours import TILE_ELEMENTS, nearest, overlap


class Fidelity(NamedTuple):
    """What is true of each record; the means are the published measures.

    Attributes:
        covered: A real record whose ball holds a synthetic one. Mean: coverage (Naeem et al. 2020).
        recalled: A real record that lies in the synthetic manifold. Mean: recall (Kynkaanniemi et al. 2019, equation 2).
        precise: A synthetic record that lies in the real manifold. Mean: precision (the same).
        density: 1/k of the number of real balls that hold a synthetic record. Mean: density (Naeem et
            al.); it may exceed 1.
    """

    covered: Bool[torch.Tensor, " real"]
    recalled: Bool[torch.Tensor, " real"]
    precise: Bool[torch.Tensor, " synthetic"]
    density: Float[torch.Tensor, " synthetic"]


def radii(points: Float[torch.Tensor, "n features"], *, k: int) -> Float[torch.Tensor, " n"]:
    """The distance of each point to its k-th nearest other point.

    Raises:
        ValueError: there are no k other points.
    """
    return nearest(points, points, k=k, same_set=True).distances[:, -1]


def compare(
    real: Float[torch.Tensor, "real features"],
    synthetic: Float[torch.Tensor, "synthetic features"],
    *,
    k: int,
    tile_elements: int = TILE_ELEMENTS,
) -> Fidelity:
    """Coverage, recall, precision and density, record by record; between sets of one size, as published.

    Args:
        real: More than k records.
        synthetic: More than k records.
        k: Which neighbour sets the width of a record's ball; Naeem et al. take 5.
        tile_elements: Bound on the elements of one tile of distances.

    Raises:
        ValueError: one set has no more than k records.
    """
    return compare_balls(real, synthetic, radii(real, k=k), radii(synthetic, k=k), k=k, tile_elements=tile_elements)


def compare_balls(
    real: Float[torch.Tensor, "real features"],
    synthetic: Float[torch.Tensor, "synthetic features"],
    real_radii: Float[torch.Tensor, " real"],
    synthetic_radii: Float[torch.Tensor, " synthetic"],
    *,
    k: int,
    tile_elements: int = TILE_ELEMENTS,
) -> Fidelity:
    """`compare` with each set's `radii` at hand, as where one set is compared with several."""
    found = overlap(real, synthetic, left_radii=real_radii, right_radii=synthetic_radii, tile_elements=tile_elements)
    density = found.left_balls.to(real.dtype) / k
    return Fidelity(found.in_left_ball > 0, found.right_balls > 0, found.left_balls > 0, density)


def covered_by(
    real: Float[torch.Tensor, "real features"],
    synthetic: Float[torch.Tensor, "synthetic features"],
    widths: Float[torch.Tensor, " real"],
) -> Bool[torch.Tensor, " real"]:
    """`Fidelity.covered` alone, for balls of given widths; none is covered by no synthetic record."""
    if not len(synthetic):
        return torch.zeros(len(real), dtype=torch.bool, device=real.device)
    return nearest(real, synthetic).distances[:, 0] <= widths
