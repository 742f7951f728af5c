"""What the discriminator says by itself: how little it takes an image for a real one of any class.

Schlegl et al. (2017) hold their search against it. A discriminator learns to tell normals from what a generator makes, not
from what else there is, so this is a control and no more. An image is explained by the normal whose features are nearest,
so the detector keeps its training records and must not be handed out.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch.nn import functional

from mintmark.anomaly.anogan import freeze
from mintmark.anomaly.descent import in_blocks, require_normals
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.gan.family import AnyDiscriminator, AnyGenerator
from mintmark.neighbours import nearest


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DiscriminatorScore:
    """The discriminator, and what it was trained on.

    Attributes:
        discriminator: Images and classes to logits.
        normals: Of which the nearest explain.
        features: Of each, as the discriminator sees it.
    """

    discriminator: AnyDiscriminator
    normals: Float[torch.Tensor, "normals channels height width"]
    features: Float[torch.Tensor, "normals features"]

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "discriminator"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """-log of the probability that an image is real, of the class that is taken for likeliest.

        Raises:
            BadInput: the images are of another shape than the discriminator's.
        """
        require_shape(images, self.discriminator.shape, whose="the discriminator's")
        return in_blocks(self._surprise, images)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The normal whose features are nearest, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the discriminator's.
        """
        require_shape(images, self.discriminator.shape, whose="the discriminator's")
        found = nearest(_features(self.discriminator, images), self.features)
        return explained(images, self.normals[found.indices[:, 0]])

    def _surprise(self, images: torch.Tensor) -> torch.Tensor:
        on_device = images.to(next(self.discriminator.parameters()).device)
        codes = torch.arange(self.discriminator.num_classes, device=on_device.device)
        logits = torch.stack([self.discriminator(on_device, code.expand(len(images))) for code in codes])
        return functional.softplus(-logits.amax(dim=0)).to(images.device)


def fit(
    normals: Float[torch.Tensor, "n channels height width"], *, generator: AnyGenerator, discriminator: AnyDiscriminator
) -> DiscriminatorScore:
    """A detector from a discriminator that was trained on the normals; both networks' weights are frozen in place.

    Raises:
        BadInput: the normals are too few or not finite, or they and the networks disagree on the images' shape.
    """
    require_normals(normals)
    freeze(generator, discriminator, normals)
    return DiscriminatorScore(discriminator=discriminator, normals=normals, features=_features(discriminator, normals))


def _features(discriminator: AnyDiscriminator, images: torch.Tensor) -> torch.Tensor:
    device = next(discriminator.parameters()).device
    return in_blocks(lambda block: discriminator.features(block.to(device)).to(images.device), images)
