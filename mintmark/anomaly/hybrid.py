"""Autoencoder features and a one-class support vector machine (Andrews et al. 2016).

The autoencoder learns what normals look like; the machine, which codes they have. An image is explained by the decoded
code to which the machine's score falls fastest: a mean of the support normals' codes near its own. Those codes are of
training records, so it must not be handed out.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from mintmark.anomaly import autoencoder
from mintmark.anomaly.autoencoder import Autoencoder
from mintmark.anomaly.descent import Training, in_blocks
from mintmark.anomaly.detector import Explanation, explained
from mintmark.anomaly.support import Support, fit_support


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hybrid:
    """A trained autoencoder, and the region of its codes that holds the normals."""

    autoencoder: Autoencoder
    support: Support

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "hybrid"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Minus the logarithm of the weighted kernel to the support normals' codes, 0 or more.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return self.support.score(self.autoencoder.encode(images))

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """What the mean of the support codes near each image's is decoded to, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        pulled = self.support.pull(self.autoencoder.encode(images))
        return explained(images, in_blocks(self.autoencoder.decoder, pulled))


def fit(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    num_features: int,
    width: int,
    training: Training,
    nu: float,
    seed: int,
) -> Hybrid:
    """Train the autoencoder, then find the support normals among its codes.

    Args:
        normals: Pixels in [-1, 1].
        num_features: Length of the code.
        width: Units of the widest layer.
        training: Of the autoencoder.
        nu: The most of the normals that may lie outside the region.
        seed: Where the weights and batches come from.

    Raises:
        BadInput: the normals are too few, not finite or all alike, or `nu` is out of range.
    """
    trained = autoencoder.fit(normals, num_features=num_features, width=width, training=training, seed=seed)
    return Hybrid(autoencoder=trained, support=fit_support(trained.encode(normals), nu=nu))
