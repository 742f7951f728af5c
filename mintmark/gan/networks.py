"""The class-conditional generator and two discriminators, for images of 8 to 256 pixels a side.

All halve the image until no side exceeds `COARSEST` pixels, so any height and width will do, powers of two or not.
Knows nothing of losses, data or files.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import nn
from torch.nn import functional

COARSEST = 7
MOST_DOUBLINGS = 5  # channels double at each halving, at most this often
SLOPE = 0.2


class View(NamedTuple):
    """What a discriminator makes of some images and their classes, in one pass.

    Attributes:
        features: What its last layer sees of each image.
        logits: What the adversarial losses take.
        class_logits: Classes by the head that learns them from real images; None where there is no head.
        twin_logits: Classes by the head that learns them from fake images; None where there is no head.
    """

    features: Float[torch.Tensor, "n features"]
    logits: Float[torch.Tensor, " n"]
    class_logits: Float[torch.Tensor, "n classes"] | None = None
    twin_logits: Float[torch.Tensor, "n classes"] | None = None


def halvings(height: int, width: int) -> list[tuple[int, int]]:
    """The (height, width) of every level, the full image first; a side of at most `COARSEST` stays as it is."""
    sizes = [(height, width)]
    while max(sizes[-1]) > COARSEST:
        rows, columns = sizes[-1]
        sizes.append((_half(rows), _half(columns)))
    return sizes


def _half(side: int) -> int:
    return side if side <= COARSEST else (side + 1) // 2


def _channels(width: int, level: int) -> int:
    return width * 2 ** min(level, MOST_DOUBLINGS)


class Generator(nn.Module):
    """Latents and classes to images.

    Noise and class pass a small mapping network to a style, which scales and shifts the channels of every layer after
    they were normalised at each pixel (Karras et al. 2018, Perez et al. 2018). No statistics are kept over a batch, so
    an image depends on its own latent and class alone.

    Attributes:
        latent_size: Length of a latent vector, which is standard normal.
        num_classes: Number of classes.
        shape: (height, width, channels) of the images.
    """

    def __init__(self, *, shape: tuple[int, int, int], num_classes: int, latent_size: int, width: int) -> None:
        super().__init__()
        self.shape, self.num_classes, self.latent_size, self.width = shape, num_classes, latent_size, width
        height, columns, image_channels = shape
        self.sizes = halvings(height, columns)[::-1]
        levels = range(len(self.sizes) - 1, -1, -1)
        channels = [_channels(width, level) for level in levels]
        style_size = channels[0]
        self.embedding = nn.Embedding(num_classes, latent_size)
        self.mapping = nn.Sequential(
            nn.Linear(2 * latent_size, style_size), nn.LeakyReLU(SLOPE), nn.Linear(style_size, style_size)
        )
        self.start = nn.Linear(style_size, channels[0] * self.sizes[0][0] * self.sizes[0][1])
        # channels shrink before the image grows: half the work of the other order
        pairs = zip(channels, [*channels[1:], channels[-1]], strict=True)
        self.layers = nn.ModuleList([_StyledLayer(inside, outside, style_size) for inside, outside in pairs])
        self.to_image = nn.Conv2d(channels[-1], image_channels, 3, padding=1)

    @property
    def architecture(self) -> dict[str, Any]:
        """The arguments that build such a network, as JSON values."""
        return {
            "shape": self.shape,
            "num_classes": self.num_classes,
            "latent_size": self.latent_size,
            "width": self.width,
        }

    def forward(
        self, latents: Float[torch.Tensor, "n latent"], codes: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Images in [-1, 1]."""
        style = self.mapping(torch.cat([latents, _unit_rms(self.embedding(codes))], dim=1))
        features = self.start(style).unflatten(1, (-1, *self.sizes[0]))
        for size, layer in zip(self.sizes, self.layers, strict=True):
            features = layer(functional.interpolate(features, size=size), style)
        return torch.tanh(self.to_image(features))


class _StyledLayer(nn.Module):
    def __init__(self, inside: int, outside: int, style_size: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inside, outside, 3, padding=1)
        self.scale_shift = nn.Linear(style_size, 2 * outside)

    def forward(
        self, features: Float[torch.Tensor, "n inside height width"], style: Float[torch.Tensor, "n style"]
    ) -> Float[torch.Tensor, "n outside height width"]:
        scale, shift = self.scale_shift(style)[:, :, None, None].chunk(2, dim=1)
        normalised = _unit_rms(self.convolution(features))
        return functional.leaky_relu(normalised * (1 + scale) + shift, SLOPE)


def _unit_rms(features: torch.Tensor) -> torch.Tensor:
    """Each vector along dimension 1 scaled to a root mean square of one."""
    return features * torch.rsqrt(features.square().mean(dim=1, keepdim=True) + 1e-6)


class _Trunk(nn.Module):
    """What the discriminators share: phi, which sees features in an image, and psi, which calls features real.

    No normalisation: the gradient penalties keep it smooth (Huang et al. 2024), and a logit depends on its own image
    alone.
    """

    def __init__(self, *, shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__()
        self.shape, self.num_classes, self.width = shape, num_classes, width
        height, columns, image_channels = shape
        sizes = halvings(height, columns)
        channels = [_channels(width, level) for level in range(len(sizes))]
        self.num_features = 2 * channels[-1]
        self.from_image = nn.Conv2d(image_channels, channels[0], 3, padding=1)
        self.halving = nn.ModuleList(
            [
                nn.Conv2d(inside, outside, 3, stride=_stride(large, small), padding=1)
                for inside, outside, large, small in zip(channels, channels[1:], sizes, sizes[1:], strict=False)
            ]
        )
        self.last = nn.Conv2d(channels[-1], channels[-1], 3, padding=1)
        self.flat = nn.Linear(channels[-1] * sizes[-1][0] * sizes[-1][1], self.num_features)
        # a paired loss sees no bias, and Adam would let it drift
        self.psi = nn.Linear(self.num_features, 1, bias=False)

    @property
    def architecture(self) -> dict[str, Any]:
        """The arguments that build such a network, as JSON values."""
        return {"shape": self.shape, "num_classes": self.num_classes, "width": self.width}

    def features(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n features"]:
        """What the last layer sees of each image, phi(x)."""
        maps = functional.leaky_relu(self.from_image(images), SLOPE)
        for convolution in self.halving:
            maps = functional.leaky_relu(convolution(maps), SLOPE)
        maps = functional.leaky_relu(self.last(maps), SLOPE)
        return functional.leaky_relu(self.flat(maps.flatten(1)), SLOPE)


class Discriminator(_Trunk):
    """Images and classes to logits, by projection: psi(phi(x)) + <e_y, phi(x)> (Miyato and Koyama 2018, equation 3).

    Attributes:
        num_features: Length of the features phi(x).
        num_classes: Number of classes.
        shape: (height, width, channels) of the images.
    """

    def __init__(self, *, shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__(shape=shape, num_classes=num_classes, width=width)
        self.embedding = nn.Embedding(num_classes, self.num_features)
        nn.init.normal_(self.embedding.weight, std=self.num_features**-0.5)

    def forward(
        self, images: Float[torch.Tensor, "n channels height width"], codes: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, " n"]:
        """One logit an image, higher for more real."""
        return self.view(images, codes).logits

    def view(self, images: Float[torch.Tensor, "n channels height width"], codes: Int64[torch.Tensor, " n"]) -> View:
        """Features and logits in one pass."""
        features = self.features(images)
        return View(features, self.psi(features).squeeze(1) + (self.embedding(codes) * features).sum(dim=1))


class AuxiliaryDiscriminator(_Trunk):
    """Logits of images alone, and two heads that tell classes: of real images, and, its twin, of fake ones.

    Odena et al. (2017, AC-GAN) have one head; their generator is rewarded for images that are easily classified, so
    that each class shrinks to its surest images. The twin takes that reward back where the generator already draws more
    of such images than there are (Gong et al. 2019, TAC-GAN): at the optimum log Q(y|x) - log Q_twin(y|x) is the log
    ratio of the class posteriors, which added to psi(phi(x)) is the log ratio of the joint densities.

    Attributes:
        num_features: Length of the features phi(x).
        num_classes: Number of classes.
        shape: (height, width, channels) of the images.
    """

    def __init__(self, *, shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__(shape=shape, num_classes=num_classes, width=width)
        self.head = nn.Linear(self.num_features, num_classes)
        self.twin = nn.Linear(self.num_features, num_classes)

    def forward(
        self, images: Float[torch.Tensor, "n channels height width"], codes: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, " n"]:
        """One logit an image, higher for more real as an image of its class."""
        features = self.features(images)
        ratio = self.head(features).log_softmax(dim=1) - self.twin(features).log_softmax(dim=1)
        return self.psi(features).squeeze(1) + ratio.gather(1, codes[:, None]).squeeze(1)

    def view(
        self,
        images: Float[torch.Tensor, "n channels height width"],
        codes: Int64[torch.Tensor, " n"],  # noqa: ARG002 - as every discriminator
    ) -> View:
        """Features, logits of the image alone, and both heads' class logits in one pass."""
        features = self.features(images)
        return View(features, self.psi(features).squeeze(1), self.head(features), self.twin(features))


def _stride(large: tuple[int, int], small: tuple[int, int]) -> tuple[int, int]:
    """By what each side shrinks, 1 or 2."""
    return 1 + int(large[0] != small[0]), 1 + int(large[1] != small[1])
