"""Do synthetic records lie where the real ones do, and everywhere they do? Per record, from one pass over all pairs.

A set's manifold is the union of balls about its records, each as wide as the distance to its k-th nearest other record
of the set. Distances are Euclidean, taken from differences: a copy lies at exactly 0, and ties count as inside. Knows
nothing of what the features are: pixels, or what a network made of them.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float

from mintmark.neighbours import nearest

BLOCK_ELEMENTS = 1 << 24


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
    block_elements: int = BLOCK_ELEMENTS,
) -> Fidelity:
    """Coverage, recall, precision and density, record by record; between sets of one size, as published.

    Args:
        real: More than k records.
        synthetic: More than k records.
        k: Which neighbour sets the width of a record's ball; Naeem et al. take 5.
        block_elements: Bound on the elements of one block of distances.

    Raises:
        ValueError: one set has no more than k records.
    """
    real_radii, synthetic_radii = radii(real, k=k), radii(synthetic, k=k)
    covered, recalled, held = [], [], torch.zeros(len(synthetic), dtype=real.dtype, device=real.device)
    rows = max(1, block_elements // len(synthetic))
    for block, widths in zip(real.split(rows), real_radii.split(rows), strict=True):
        distances = torch.cdist(block, synthetic, compute_mode="donot_use_mm_for_euclid_dist")
        inside = distances <= widths[:, None]
        covered.append(inside.any(dim=1))
        recalled.append((distances <= synthetic_radii).any(dim=1))
        held += inside.sum(dim=0)
    return Fidelity(torch.cat(covered), torch.cat(recalled), held > 0, held / k)


def covered_by(
    real: Float[torch.Tensor, "real features"],
    synthetic: Float[torch.Tensor, "synthetic features"],
    widths: Float[torch.Tensor, " real"],
) -> Bool[torch.Tensor, " real"]:
    """`Fidelity.covered` alone, for balls of given widths; none is covered by no synthetic record."""
    if not len(synthetic):
        return torch.zeros(len(real), dtype=torch.bool, device=real.device)
    return nearest(real, synthetic).distances[:, 0] <= widths
