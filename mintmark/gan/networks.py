"""The class-conditional generator and its projection discriminator, for images of 8 to 256 pixels a side.

Both halve the image until no side exceeds `COARSEST` pixels, so any height and width will do, powers of two or not.
Knows nothing of losses, data or files.
"""

import torch
from jaxtyping import Float, Int64
from torch import nn
from torch.nn import functional

COARSEST = 7
MOST_DOUBLINGS = 3  # channels double at each halving, at most this often
SLOPE = 0.2


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


class Discriminator(nn.Module):
    """Images and classes to logits, by projection: psi(phi(x)) + <e_y, phi(x)> (Miyato and Koyama 2018, equation 3).

    No normalisation: the gradient penalties keep it smooth (Huang et al. 2024), and a logit depends on its own image
    alone.

    Attributes:
        num_features: Length of the features phi(x).
        num_classes: Number of classes.
        shape: (height, width, channels) of the images.
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
        self.psi = nn.Linear(
            self.num_features, 1, bias=False
        )  # a paired loss sees no bias, and Adam would let it drift
        self.embedding = nn.Embedding(num_classes, self.num_features)
        nn.init.normal_(self.embedding.weight, std=self.num_features**-0.5)

    def features(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n features"]:
        """What the last layer sees of each image, phi(x)."""
        maps = functional.leaky_relu(self.from_image(images), SLOPE)
        for convolution in self.halving:
            maps = functional.leaky_relu(convolution(maps), SLOPE)
        maps = functional.leaky_relu(self.last(maps), SLOPE)
        return functional.leaky_relu(self.flat(maps.flatten(1)), SLOPE)

    def forward(
        self, images: Float[torch.Tensor, "n channels height width"], codes: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, " n"]:
        """One logit an image, higher for more real."""
        return self.judge(self.features(images), codes)

    def judge(
        self, features: Float[torch.Tensor, "n features"], codes: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, " n"]:
        """One logit an image, from its features."""
        return self.psi(features).squeeze(1) + (self.embedding(codes) * features).sum(dim=1)


def _stride(large: tuple[int, int], small: tuple[int, int]) -> tuple[int, int]:
    """By what each side shrinks, 1 or 2."""
    return 1 + int(large[0] != small[0]), 1 + int(large[1] != small[1])
