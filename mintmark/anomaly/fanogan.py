"""f-AnoGAN (Schlegl et al. 2019): AnoGAN's question, answered by an encoder in one pass instead of a search.

The encoder is trained on normals against a frozen generator and discriminator, so that G(E(x)) resembles x in pixels
and in the discriminator's features ("izi_f"). Our generator is class-conditional and a normal's class is not given. So
the encoder has a latent for each class, and a head that names the class, which is taught on images of the generator,
whose classes are known. With one class there is nothing to name. The last step is kept; no anomaly chooses it. Knows
nothing of how the two networks were trained.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch.nn import functional

from mintmark.anomaly.anogan import freeze
from mintmark.anomaly.descent import Training, descend, in_blocks, require_normals, seeded
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.anomaly.networks import Encoder
from mintmark.errors import BadInput
from mintmark.gan.family import AnyDiscriminator, AnyGenerator


class Encoded(NamedTuple):
    """What the encoder makes of images.

    Attributes:
        class_logits: Which class each is of.
        latents: Of each image, one for each class that it might be of.
    """

    class_logits: Float[torch.Tensor, "n classes"]
    latents: Float[torch.Tensor, "n classes latent"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FAnoGan:
    """A generator, a discriminator, and the encoder that inverts the generator.

    Attributes:
        generator: Latents and classes to images.
        discriminator: Whose features are compared.
        encoder: Images to class logits, then latents, class by class.
        feature_weight: kappa, the weight of the feature residual (1 in the paper).
    """

    generator: AnyGenerator
    discriminator: AnyDiscriminator
    encoder: Encoder
    feature_weight: float

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "fanogan"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """The anomaly score A(x) of the paper's equation 4: what the encoder was trained to lower.

        Raises:
            BadInput: the images are of another shape than the generator's.
        """
        require_shape(images, self.generator.shape, whose="the generator's")
        return in_blocks(self.losses, images)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """G(E(x)), and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the generator's.
        """
        require_shape(images, self.generator.shape, whose="the generator's")
        return explained(images, in_blocks(self.reconstruct, images))

    def encode(self, images: Float[torch.Tensor, "n channels height width"]) -> Encoded:
        """Class logits and latents."""
        num_classes = self.generator.num_classes
        features = self.encoder(images)
        return Encoded(features[:, :num_classes], features[:, num_classes:].unflatten(1, (num_classes, -1)))

    def reconstruct(
        self, images: Float[torch.Tensor, "n channels height width"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """G(E(x)), of the most likely class."""
        class_logits, latents = self.encode(images)
        codes = class_logits.argmax(dim=1)
        return self.generator(latents[torch.arange(len(codes), device=codes.device), codes], codes)

    def losses(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """|x - G(E(x))|^2 / n + kappa |f(x) - f(G(E(x)))|^2 / n_d of each image (the paper's equation 3)."""
        made = self.reconstruct(images)
        mismatch = (self.discriminator.features(images) - self.discriminator.features(made)).square().mean(dim=1)
        return (images - made).flatten(1).square().mean(dim=1) + self.feature_weight * mismatch

    def confusion(
        self, latents: Float[torch.Tensor, "n latent"], codes: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, ""]:
        """The mean cross-entropy of the classes of images that the generator makes."""
        return functional.cross_entropy(self.encode(self.generator(latents, codes)).class_logits, codes)


def fit(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    generator: AnyGenerator,
    discriminator: AnyDiscriminator,
    width: int,
    feature_weight: float,
    training: Training,
    seed: int,
) -> FAnoGan:
    """Train an encoder for networks that were trained on the normals; their weights are frozen in place.

    Args:
        normals: Pixels in [-1, 1].
        generator: Latents and classes to images.
        discriminator: Its features are compared.
        width: Units of the encoder's widest layer.
        feature_weight: kappa.
        training: How long and how fast.
        seed: Where the encoder's weights, the batches and the generator's latents come from.

    Raises:
        BadInput: the normals are too few or not finite, `feature_weight` is negative, or the normals, the generator
            and the discriminator disagree on the images' shape.
    """
    shape = require_normals(normals)
    if feature_weight < 0:
        raise BadInput(f"feature_weight: expected 0 or more, got {feature_weight}")
    freeze(generator, discriminator, normals)
    num_classes, latent_size = generator.num_classes, generator.latent_size
    with seeded(seed):
        encoder = Encoder(shape=shape, width=width, num_features=num_classes * (1 + latent_size))
    detector = FAnoGan(generator=generator, discriminator=discriminator, encoder=encoder, feature_weight=feature_weight)

    def loss(batch: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        found = detector.losses(batch).mean()
        if num_classes == 1:
            return found
        latents = torch.randn((len(batch), latent_size), generator=rng).to(batch.device)
        codes = torch.randint(num_classes, (len(batch),), generator=rng).to(batch.device)
        return found + detector.confusion(latents, codes)

    descend(encoder, normals, loss, training=training, seed=seed)
    return detector
