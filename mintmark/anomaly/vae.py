"""Variational autoencoder (Kingma and Welling 2014): how badly an image fits a probabilistic code of the normals.

The decoder's Gaussian has one variance for all pixels, the most likely one, so that nothing weighs reconstruction
against the code's divergence but the normals themselves (Rybkin et al. 2021). Scores are taken at the code's mean: no
draw enters them. The last step is kept; no anomaly chooses it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

from mintmark.anomaly.descent import Training, descend, in_blocks, require_normals, seeded
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.anomaly.networks import Decoder, Encoder

LEAST_VARIANCE = 1e-6  # of pixels: normals that are all alike would make their likelihood infinite


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Vae:
    """A trained encoder and decoder.

    Attributes:
        encoder: Images to the code's means and log variances, side by side.
        decoder: Codes to mean images.
        variance: Of each pixel about its mean image.
    """

    encoder: Encoder
    decoder: Decoder
    variance: float

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "vae"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """The negative evidence lower bound but for its constant: |x - g(mu)|^2 / (2 variance) + KL(q(z|x) || N(0, 1)).

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        require_shape(images, self.encoder.shape, whose="the normals'")

        def score(block: torch.Tensor) -> torch.Tensor:
            means, log_variances = self.encoder(block).chunk(2, dim=1)
            distances = (block - self.decoder(means)).flatten(1).square().sum(dim=1)
            return distances / (2 * self.variance) + divergence(means, log_variances)

        return in_blocks(score, images)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The mean image of the code's mean, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        require_shape(images, self.encoder.shape, whose="the normals'")
        return explained(images, in_blocks(lambda block: self.decoder(self.encoder(block).chunk(2, dim=1)[0]), images))


def fit(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    num_features: int,
    width: int,
    training: Training,
    seed: int,
) -> Vae:
    """Train an encoder and a decoder to raise the normals' evidence lower bound.

    Args:
        normals: Pixels in [-1, 1].
        num_features: Length of the code.
        width: Units of the widest layer.
        training: How long and how fast.
        seed: Where the weights, the batches and the codes' noise come from.

    Raises:
        BadInput: the normals are too few or not finite.
    """
    shape = require_normals(normals)
    with seeded(seed):
        encoder = Encoder(shape=shape, width=width, num_features=2 * num_features)
        decoder = Decoder(shape=shape, width=width, num_features=num_features)

    def loss(batch: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        means, log_variances = encoder(batch).chunk(2, dim=1)
        noise = torch.randn(means.shape, generator=rng).to(means.device)
        return bound(batch, decoder(means + noise * (log_variances / 2).exp()), means, log_variances)

    descend(nn.ModuleList([encoder, decoder]), normals, loss, training=training, seed=seed)
    reconstructions = in_blocks(lambda block: decoder(encoder(block).chunk(2, dim=1)[0]), normals)
    variance = max(LEAST_VARIANCE, (normals - reconstructions).square().mean().item())
    return Vae(encoder=encoder, decoder=decoder, variance=variance)


def bound(
    images: Float[torch.Tensor, "n channels height width"],
    means_of_images: Float[torch.Tensor, "n channels height width"],
    means: Float[torch.Tensor, "n features"],
    log_variances: Float[torch.Tensor, "n features"],
) -> Float[torch.Tensor, ""]:
    """The mean negative evidence lower bound of a batch, over its values, at the batch's most likely pixel variance.

    That variance is the mean squared error, which leaves log(error) / 2 a value (Rybkin et al. 2021, section 3.2).
    """
    num_values = images[0].numel()
    error = (images - means_of_images).square().mean().clamp_min(LEAST_VARIANCE)
    return error.log() / 2 + divergence(means, log_variances).mean() / num_values


def divergence(
    means: Float[torch.Tensor, "n features"], log_variances: Float[torch.Tensor, "n features"]
) -> Float[torch.Tensor, " n"]:
    """KL(N(mean, variance) || N(0, 1)), summed over a code's features (Kingma and Welling 2014, appendix B)."""
    return (means.square() + log_variances.exp() - log_variances - 1).sum(dim=1) / 2
