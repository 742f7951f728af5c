"""Discriminators that classify, and the generators that train them, for images of any size.

A discriminator gives K logits and the features below them. Weights are normalised (Salimans and Kingma 2016), and
Gaussian noise enters at every layer while it trains (Salimans et al. 2016); no statistics are kept over a batch, so an
answer depends on its own image alone. Noise comes from a generator that is passed in; without one there is none.
Knows nothing of losses, data or files.
"""

import itertools
import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from mintmark.gan.networks import Generator, halvings

Form = Literal["dense", "convolutional"]
SLOPE = 0.2
MOST_DOUBLINGS = 2
DENSE_LAYERS = (1, 2, 4, 4, 4)  # each layer's share of the width: 1000-500-250-250-250 in the published recipe


class ClassDiscriminator(nn.Module):
    """Images to the logits of K classes.

    Attributes:
        shape: (height, width, channels) of the images.
        num_classes: K.
        width: Of the first layer: units of a dense one, channels of a convolutional one.
        form: "dense" for five layers on the pixels; "convolutional" for two 3x3 convolutions a size down to at most
            7 x 7, and the mean of places.
        input_noise: Standard deviation of the noise on the pixels, which lie in [-1, 1].
        hidden_noise: Standard deviation of the noise on every layer's output.
        num_features: Length of the features.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int, int],
        num_classes: int,
        width: int,
        form: Form,
        input_noise: float,
        hidden_noise: float,
    ) -> None:
        super().__init__()
        self.shape, self.num_classes, self.width, self.form = shape, num_classes, width, form
        self.input_noise, self.hidden_noise = input_noise, hidden_noise
        layers = _dense_layers(shape, width) if form == "dense" else _convolutions(shape, width)
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)  # else the noise drowns the image layer by layer
        self.layers = nn.ModuleList([weight_norm(layer) for layer in layers])
        last = layers[-1]
        self.num_features = last.out_features if isinstance(last, nn.Linear) else last.out_channels
        self.head = weight_norm(nn.Linear(self.num_features, num_classes))

    def features(
        self, images: Float[torch.Tensor, "n channels height width"], *, rng: torch.Generator | None = None
    ) -> Float[torch.Tensor, "n features"]:
        """What the last layer sees of images in [-1, 1]; with noise where a (CPU) generator is given."""
        hidden = _noisy(images.flatten(1) if self.form == "dense" else images, self.input_noise, rng)
        for layer in self.layers:
            hidden = _noisy(functional.leaky_relu(layer(hidden), SLOPE), self.hidden_noise, rng)
        return hidden if self.form == "dense" else hidden.mean(dim=(2, 3))

    def forward(
        self, images: Float[torch.Tensor, "n channels height width"], *, rng: torch.Generator | None = None
    ) -> Float[torch.Tensor, "n classes"]:
        """Logits of images in [-1, 1]."""
        return self.head(self.features(images, rng=rng))


class DenseGenerator(nn.Module):
    """Latents to images by two hidden layers, softplus and batch normalisation (Salimans et al. 2016, MNIST).

    Attributes:
        latent_size: Length of a latent vector.
        shape: (height, width, channels) of the images.
    """

    def __init__(self, *, shape: tuple[int, int, int], latent_size: int, width: int) -> None:
        super().__init__()
        self.shape, self.latent_size = shape, latent_size
        self.body = nn.Sequential(
            nn.Linear(latent_size, width, bias=False),
            nn.BatchNorm1d(width),
            nn.Softplus(),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.Softplus(),
            nn.Linear(width, math.prod(shape)),
            nn.Tanh(),
        )

    def forward(self, latents: Float[torch.Tensor, "n latent"]) -> Float[torch.Tensor, "n channels height width"]:
        """Images in [-1, 1]."""
        height, width, channels = self.shape
        return self.body(latents).unflatten(1, (channels, height, width))


class ConvolutionalGenerator(nn.Module):
    """Latents to images: the conditional generator with one class alone."""

    def __init__(self, *, shape: tuple[int, int, int], latent_size: int, width: int) -> None:
        super().__init__()
        self.shape, self.latent_size = shape, latent_size
        self.body = Generator(shape=shape, num_classes=1, latent_size=latent_size, width=width)

    def forward(self, latents: Float[torch.Tensor, "n latent"]) -> Float[torch.Tensor, "n channels height width"]:
        """Images in [-1, 1]."""
        return self.body(latents, torch.zeros(len(latents), dtype=torch.int64, device=latents.device))


def _dense_layers(shape: tuple[int, int, int], width: int) -> list[nn.Linear]:
    sizes = [math.prod(shape), *(max(1, width // share) for share in DENSE_LAYERS)]
    return [nn.Linear(inside, outside) for inside, outside in itertools.pairwise(sizes)]


def _convolutions(shape: tuple[int, int, int], width: int) -> list[nn.Conv2d]:
    """Two convolutions a size; the first of every smaller size halves the sides that are longer than it."""
    layers: list[nn.Conv2d] = []
    inside, before = shape[2], shape[:2]
    for level, size in enumerate(halvings(*shape[:2])):
        outside = width * 2 ** min(level, MOST_DOUBLINGS)
        stride = (1 + int(size[0] != before[0]), 1 + int(size[1] != before[1]))
        layers += [nn.Conv2d(inside, outside, 3, stride=stride, padding=1), nn.Conv2d(outside, outside, 3, padding=1)]
        inside, before = outside, size
    return layers


def _noisy(values: torch.Tensor, deviation: float, rng: torch.Generator | None) -> torch.Tensor:
    if rng is None or deviation == 0:
        return values
    return values + deviation * torch.randn(values.shape, generator=rng).to(values)
