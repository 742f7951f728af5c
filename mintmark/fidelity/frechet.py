"""The Fréchet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017, equation 6).

It grows as the sets shrink: two samples of one population do not lie at 0, so that distances compare only at one
number of records. The square root of the product of the covariances is never formed: its trace is the sum of the
singular values of the product of the samples' own factors, which loses no digits where the covariances are nearly or
wholly singular. Everything is in double precision.
"""

import torch
from jaxtyping import Float


def frechet_distance(first: Float[torch.Tensor, "n features"], second: Float[torch.Tensor, "m features"]) -> float:
    """|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), with unbiased covariances; at least 0, in squared feature units.

    Raises:
        ValueError: a set holds fewer than two records, which have no covariance, or a feature is not finite.
    """
    (centre, factor), (other_centre, other_factor) = _gaussian(first), _gaussian(second)
    shift = (centre - other_centre).square().sum()
    spread = factor.square().sum() + other_factor.square().sum()
    shared = torch.linalg.svdvals(factor @ other_factor.T).sum()
    return max(0.0, float(shift + spread - 2 * shared))  # rounding alone leads below 0


def _gaussian(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A set's mean and an upper triangular R with R'R its covariance."""
    if len(points) < 2:
        raise ValueError(f"a set must hold at least two records to have a covariance, got {len(points)}")
    points = points.double()
    if not bool(points.isfinite().all()):
        raise ValueError("features must be finite, got others")
    centre = points.mean(dim=0)
    factor = torch.linalg.qr((points - centre) / (len(points) - 1) ** 0.5, mode="r").R
    return centre, factor
