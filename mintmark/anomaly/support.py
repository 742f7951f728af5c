"""One-class support vectors (Schoelkopf et al. 2001): the region of features that holds all but a share of the normals.

Knows nothing of images: what the features are is the caller's affair.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float

from mintmark.errors import BadInput

BLOCK_ROWS = 1024


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Support:
    """A density of Gaussian bumps on those normals that bound their region.

    Attributes:
        vectors: The normals' features.
        weights: Of each, above 0; they sum to 1.
        gamma: The kernel is exp(-gamma |x - y|^2).
    """

    vectors: Float[torch.Tensor, "support features"]
    weights: Float[torch.Tensor, " support"]
    gamma: float

    def score(self, features: Float[torch.Tensor, "n features"]) -> Float[torch.Tensor, " n"]:
        """1 minus the weighted kernel to the vectors, from 0 to 1: the paper's decision but for sign and threshold."""
        return 1 - self._logarithms(features).exp().sum(dim=1).to(features.dtype)

    def pull(self, features: Float[torch.Tensor, "n features"]) -> Float[torch.Tensor, "n features"]:
        """Where the score's steepest descent leads: the vectors' mean, weighted by how near they are (Cheng 1995)."""
        return self._logarithms(features).softmax(dim=1).to(features.dtype) @ self.vectors

    def _logarithms(self, features: torch.Tensor) -> torch.Tensor:
        """Of each vector's part in the kernel sum, in double precision: far from all of them it is tiny."""
        vectors = self.vectors.double()
        squared = torch.cat(
            [
                torch.cdist(block, vectors, compute_mode="donot_use_mm_for_euclid_dist").square()
                for block in features.double().split(BLOCK_ROWS)
            ]
        )
        return self.weights.double().log() - self.gamma * squared


def fit_support(features: Float[torch.Tensor, "n features"], *, nu: float) -> Support:
    """Find the support vectors; the kernel's width is one over the features' number and variance, as scikit-learn's.

    Args:
        features: Of normals.
        nu: The most of the normals that may lie outside the region, and the least that are support vectors.

    Raises:
        BadInput: `nu` is out of range, or the features are all alike.
    """
    from sklearn.svm import OneClassSVM  # heavy, and most stages need none

    if not 0 < nu < 1:
        raise BadInput(f"nu: expected above 0 and below 1, got {nu}")
    points = features.double().numpy()
    if points.var() == 0:
        raise BadInput("normals: expected some variety, got images whose features are all alike")
    gamma: Any = float(1 / (points.shape[1] * points.var()))  # the stubs know only names
    machine = OneClassSVM(kernel="rbf", gamma=gamma, nu=nu, tol=1e-6).fit(points)
    weights = torch.from_numpy(machine.dual_coef_[0])
    return Support(
        vectors=features[torch.from_numpy(machine.support_).long()],
        weights=(weights / weights.sum()).float(),
        gamma=gamma,
    )
