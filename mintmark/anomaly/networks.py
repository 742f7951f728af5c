"""Small dense encoders and decoders. Knows nothing of losses, data or detectors.

Dense, because on small images of one kind they reconstruct better than convolutions of many times their cost, and
training on normals has to be cheap. No statistics are kept over a batch, so an answer depends on its own image alone.
"""

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

SLOPE = 0.1


class Encoder(nn.Module):
    """Images to features: two hidden layers, the second half as wide as the first.

    Attributes:
        shape: (height, width, channels) of the images.
        num_features: Length of the features.
    """

    def __init__(self, *, shape: tuple[int, int, int], width: int, num_features: int, bias: bool = True) -> None:
        super().__init__()
        self.shape, self.num_features = shape, num_features
        height, columns, channels = shape
        self.first = _linear(height * columns * channels, width, bias=bias)
        self.second = _linear(width, _half(width), bias=bias)
        self.last = _linear(_half(width), num_features, bias=bias)

    def forward(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n features"]:
        """Features of images in [-1, 1], of either sign."""
        hidden = functional.leaky_relu(self.first(images.flatten(1)), SLOPE)
        return self.last(functional.leaky_relu(self.second(hidden), SLOPE))


class Decoder(nn.Module):
    """Features to images, the encoder's layers in reverse; pixels lie near [-1, 1], unbounded, so that none saturates.

    Attributes:
        shape: (height, width, channels) of the images.
    """

    def __init__(self, *, shape: tuple[int, int, int], width: int, num_features: int) -> None:
        super().__init__()
        self.shape = shape
        height, columns, channels = shape
        self.first = _linear(num_features, _half(width))
        self.second = _linear(_half(width), width)
        self.last = _linear(width, height * columns * channels)

    def forward(self, features: Float[torch.Tensor, "n features"]) -> Float[torch.Tensor, "n channels height width"]:
        """Images near [-1, 1]."""
        height, columns, channels = self.shape
        hidden = functional.leaky_relu(self.first(features), SLOPE)
        pixels = self.last(functional.leaky_relu(self.second(hidden), SLOPE))
        return pixels.unflatten(1, (channels, height, columns))


def _half(width: int) -> int:
    return max(1, width // 2)


def _linear(inside: int, outside: int, *, bias: bool = True) -> nn.Linear:
    """A layer that keeps the variance of what it is given (He et al. 2015), and starts with a bias of 0."""
    layer = nn.Linear(inside, outside, bias=bias)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
