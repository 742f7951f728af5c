"""One-class support vector machine (Schoelkopf et al. 2001) on principal components and the distance from their plane.

Without that distance the machine would be blind to what lies beside the plane: many a foreign image projects into the
midst of the normals. Such a machine expects no picture of its own. An image is explained by where the score falls
fastest within the plane: a mean of the support normals near it. Those are training records, so the detector must not
be handed out.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from mintmark.anomaly import pca
from mintmark.anomaly.descent import require_normals
from mintmark.anomaly.detector import Explanation, explained
from mintmark.anomaly.pca import PcaResidual
from mintmark.anomaly.support import Support, fit_support


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OneClassSvm:
    """The plane of the normals, and the region within it that holds them."""

    plane: PcaResidual
    support: Support

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "one_class_svm"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Minus the logarithm of the weighted kernel to the support normals, 0 or more.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return self.support.score(_features(self.plane, images))

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The mean of the support normals near each image, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        pulled = self.support.pull(_features(self.plane, images))
        return explained(images, self.plane.images(pulled[:, :-1]))


def fit(normals: Float[torch.Tensor, "n channels height width"], *, num_components: int, nu: float) -> OneClassSvm:
    """Find the plane, and the support normals within it.

    Args:
        normals: Pixels in [-1, 1].
        num_components: Of the plane.
        nu: The most of the normals that may lie outside the region.

    Raises:
        BadInput: the normals are too few, not finite or all alike, or a setting is out of range.
    """
    require_normals(normals)
    plane = pca.fit(normals, num_components=num_components)
    return OneClassSvm(plane=plane, support=fit_support(_features(plane, normals), nu=nu))


def _features(plane: PcaResidual, images: torch.Tensor) -> Float[torch.Tensor, "n features"]:
    """Coordinates in the plane, and the distance from it."""
    return torch.cat([plane.coordinates(images), plane.score(images)[:, None]], dim=1)
