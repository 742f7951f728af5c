"""One-class support vectors (Schoelkopf et al. 2001): the region of features that holds all but a share of the normals.

Features are whitened first. Directions in which normals hardly vary tell most of an anomaly, and a kernel in which the
widest direction sets the scale is blind to them. Knows nothing of images: what the features are is the caller's affair.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float

from mintmark.errors import BadInput

BLOCK_ROWS = 1024
LEAST_VARIANCE = 1e-6  # of a whitened direction, as a share of the widest one's


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Support:
    """A density of Gaussian bumps on those normals that bound their region.

    Attributes:
        vectors: The normals' features.
        whitener: Features times it have unit variance in all directions, over the normals.
        weights: Of each, above 0; they sum to 1.
        gamma: The kernel is exp(-gamma |x - y|^2) of whitened features.
    """

    vectors: Float[torch.Tensor, "support features"]
    whitener: Float[torch.Tensor, "features features"]
    weights: Float[torch.Tensor, " support"]
    gamma: float

    def score(self, features: Float[torch.Tensor, "n features"]) -> Float[torch.Tensor, " n"]:
        """Minus the logarithm of the weighted kernel to the vectors, 0 or more.

        It ranks as the paper's decision does. Far from all vectors, where that is the same for all, it still rises.
        """
        return -self._logarithms(features).logsumexp(dim=1).clamp_max(0).to(features.dtype)

    def pull(self, features: Float[torch.Tensor, "n features"]) -> Float[torch.Tensor, "n features"]:
        """The vectors' mean, weighted by how near they are (Cheng 1995).

        Among whitened features it lies in the direction in which the score falls fastest.
        """
        return self._logarithms(features).softmax(dim=1).to(features.dtype) @ self.vectors

    def _logarithms(self, features: torch.Tensor) -> torch.Tensor:
        """Of each vector's part in the kernel sum, in double precision: far from all of them it is tiny."""
        vectors = self.vectors.double() @ self.whitener
        squared = torch.cat(
            [
                torch.cdist(block, vectors, compute_mode="donot_use_mm_for_euclid_dist").square()
                for block in (features.double() @ self.whitener).split(BLOCK_ROWS)
            ]
        )
        return self.weights.double().log() - self.gamma * squared


def fit_support(features: Float[torch.Tensor, "n features"], *, nu: float) -> Support:
    """Find the support vectors; the kernel's width is one over the features' number and variance, which is then 1.

    Args:
        features: Of normals.
        nu: The most of the normals that may lie outside the region, and the least that are support vectors.

    Raises:
        BadInput: `nu` is out of range, or the features are all alike.
    """
    from sklearn.svm import OneClassSVM  # heavy, and most stages need none

    if not 0 < nu < 1:
        raise BadInput(f"nu: expected above 0 and below 1, got {nu}")
    whitener = _whitener(features.double())
    gamma: Any = 1 / features.shape[1]  # the stubs know only names
    machine = OneClassSVM(kernel="rbf", gamma=gamma, nu=nu, tol=1e-6).fit((features.double() @ whitener).numpy())
    weights = torch.from_numpy(machine.dual_coef_[0])
    return Support(
        vectors=features[torch.from_numpy(machine.support_).long()],
        whitener=whitener,
        weights=(weights / weights.sum()).float(),
        gamma=gamma,
    )


def _whitener(features: Float[torch.Tensor, "n features"]) -> Float[torch.Tensor, "features features"]:
    """The inverse square root of the features' covariance."""
    variances, directions = torch.linalg.eigh(torch.cov(features.T).reshape(features.shape[1], -1))
    if variances[-1] <= 0:
        raise BadInput("normals: expected some variety, got images whose features are all alike")
    return directions * variances.clamp_min(LEAST_VARIANCE * variances[-1]).rsqrt()
