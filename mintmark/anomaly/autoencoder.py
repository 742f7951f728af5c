"""Autoencoder: how far an image lies from what a narrow code of it can be decoded to (Hinton and Salakhutdinov 2006).

The non-linear sibling of the principal component residual: a code of few features that was learnt on normals has no
place for what only anomalies show. The last step is kept; no anomaly chooses it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

from mintmark.anomaly.descent import Training, descend, in_blocks, require_normals, seeded
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.anomaly.networks import Decoder, Encoder


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Autoencoder:
    """A trained encoder and decoder.

    Attributes:
        encoder: Images to codes.
        decoder: Codes to images.
    """

    encoder: Encoder
    decoder: Decoder

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "autoencoder"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Euclidean distance of each image from its reconstruction.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return torch.linalg.vector_norm((images - self.reconstruct(images)).flatten(1), dim=1)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The reconstruction, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return explained(images, self.reconstruct(images))

    def encode(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n features"]:
        """The codes.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        require_shape(images, self.encoder.shape, whose="the normals'")
        return in_blocks(self.encoder, images)

    def reconstruct(
        self, images: Float[torch.Tensor, "n channels height width"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """What the codes are decoded to.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        require_shape(images, self.encoder.shape, whose="the normals'")
        return in_blocks(lambda block: self.decoder(self.encoder(block)), images)


def fit(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    num_features: int,
    width: int,
    training: Training,
    seed: int,
    bias: bool = True,
) -> Autoencoder:
    """Train an encoder and a decoder to give the normals back, by the mean squared error of pixels.

    Args:
        normals: Pixels in [-1, 1].
        num_features: Length of the code.
        width: Units of the widest layer.
        training: How long and how fast.
        seed: Where the weights and batches come from.
        bias: Whether the encoder's layers have bias terms.

    Raises:
        BadInput: the normals are too few or not finite.
    """
    shape = require_normals(normals)
    with seeded(seed):
        encoder = Encoder(shape=shape, width=width, num_features=num_features, bias=bias)
        decoder = Decoder(shape=shape, width=width, num_features=num_features)
    both = nn.ModuleList([encoder, decoder])
    descend(
        both,
        normals,
        lambda batch, _rng: (decoder(encoder(batch)) - batch).square().mean(),
        training=training,
        seed=seed,
    )
    return Autoencoder(encoder=encoder, decoder=decoder)
