"""Deep support vector data description (Ruff et al. 2018): a network that maps the normals close to one point.

No layer has a bias and the activation is unbounded, else the network could map everything to the centre; the centre is
fixed before the descent, and no coordinate of it near 0, which weights of 0 would reach. An autoencoder's encoder is
where the descent starts. The last step is kept; no anomaly chooses it.

Such a network expects no picture. An image is explained by the normal nearest to it in the features, so the detector
keeps its training records and must not be handed out.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from mintmark.anomaly import autoencoder
from mintmark.anomaly.descent import Training, descend, in_blocks
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.anomaly.networks import Encoder
from mintmark.neighbours import nearest

LEAST_COORDINATE = 0.1  # the authors'


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeepSvdd:
    """The network, its centre, and what was fitted on."""

    encoder: Encoder
    centre: Float[torch.Tensor, " features"]
    normals: Float[torch.Tensor, "normals channels height width"]

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "deep_svdd"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Squared distance of each image's features from the centre (the paper's equation 5).

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return (self._features(images) - self.centre).square().sum(dim=1)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The nearest normal, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        found = nearest(self._features(images), self._features(self.normals))
        return explained(images, self.normals[found.indices[:, 0]])

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        require_shape(images, self.encoder.shape, whose="the normals'")
        return in_blocks(self.encoder, images)


def fit(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    num_features: int,
    width: int,
    pretraining: Training,
    training: Training,
    seed: int,
) -> DeepSvdd:
    """Train an autoencoder, then its encoder towards the centre (the paper's equation 4, one-class).

    Args:
        normals: Pixels in [-1, 1].
        num_features: Length of the features.
        width: Units of the widest layer.
        pretraining: Of the autoencoder.
        training: Of the encoder; its weight decay stands for the paper's lambda.
        seed: Where the weights and batches come from.

    Raises:
        BadInput: the normals are too few or not finite.
    """
    encoder = autoencoder.fit(
        normals, num_features=num_features, width=width, training=pretraining, seed=seed, bias=False
    ).encoder
    centre = away_from_zero(in_blocks(encoder, normals).mean(dim=0))
    descend(
        encoder,
        normals,
        lambda batch, _rng: (encoder(batch) - centre).square().sum(dim=1).mean(),
        training=training,
        seed=seed,
    )
    return DeepSvdd(encoder=encoder, centre=centre, normals=normals)


def away_from_zero(centre: Float[torch.Tensor, " features"]) -> Float[torch.Tensor, " features"]:
    """The centre with each coordinate at least `LEAST_COORDINATE` from 0, on its own side."""
    side = torch.where(centre < 0, -1.0, 1.0)
    return side * centre.abs().clamp_min(LEAST_COORDINATE)
