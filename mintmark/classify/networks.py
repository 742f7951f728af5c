"""The downstream classifiers: a small convolutional network for images of any size, and a linear one.

Knows nothing of training. There is no dropout: it would draw from the global random state.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import nn

SMALLEST_SIDE = 2  # halve no further


class Classifier(nn.Module):
    """What takes images (n, channels, height, width) in [-1, 1] and answers with logits (n, num_classes).

    Attributes:
        shape: (height, width, channels) of the images.
        num_classes: How many logits.
    """

    def __init__(self, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.shape, self.num_classes = shape, num_classes

    def form(self) -> dict[str, object]:
        """The arguments that rebuild it, weights aside, as plain JSON values."""
        return {"shape": list(self.shape), "num_classes": self.num_classes}


class LinearClassifier(Classifier):
    """One linear layer on the pixels."""

    def __init__(self, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__(shape, num_classes)
        self.head = nn.Linear(math.prod(shape), num_classes)

    def forward(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n classes"]:
        """Logits of images in [-1, 1]."""
        return self.head(images.flatten(1))


class SmallCNN(Classifier):
    """One 3x3 convolution with batch normalisation a size, halving the image down to 2x2 or 3x3, then the mean of places.

    Attributes:
        shape: (height, width, channels) of the images.
        num_classes: How many logits.
        width: Channels of the first layer; they double with each halving, up to four times.
        num_features: Size of what `features` returns.
    """

    def __init__(self, shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__(shape, num_classes)
        self.width = width
        layers, self.num_features = _body(shape, width, _block)
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(self.num_features, num_classes)

    def form(self) -> dict[str, object]:
        """What rebuilds it beside its weights."""
        return super().form() | {"width": self.width}

    def features(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n features"]:
        """What the last layer sees of images in [-1, 1]."""
        return self.body(images).mean(dim=(2, 3))

    def forward(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n classes"]:
        """Logits of images in [-1, 1]."""
        return self.head(self.features(images))


class RecordwiseCNN(Classifier):
    """A `SmallCNN` that normalises groups of channels within each record (Wu and He 2018), so that no answer tells of others.

    Attributes:
        shape: (height, width, channels) of the images.
        num_classes: How many logits.
        width: Channels of the first layer, a multiple of `GROUPS`; they double with each halving, up to four times.
    """

    GROUPS = 4

    def __init__(self, shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__(shape, num_classes)
        self.width = width
        layers, num_features = _body(shape, width, _recordwise_block)
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(num_features, num_classes)

    def form(self) -> dict[str, object]:
        """What rebuilds it beside its weights."""
        return super().form() | {"width": self.width}

    def forward(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n classes"]:
        """Logits of images in [-1, 1]."""
        return self.head(self.body(images).mean(dim=(2, 3)))


Block = Callable[[int, int], list[nn.Module]]


def _body(shape: tuple[int, int, int], width: int, block: Block) -> tuple[list[nn.Module], int]:
    """A block a size, halving the image between them, and how many channels come out."""
    side, channels = min(shape[:2]), width
    layers = block(shape[2], width)
    while side >= 2 * SMALLEST_SIDE:
        wider = min(2 * channels, 4 * width)
        layers += [nn.AvgPool2d(2), *block(channels, wider)]
        channels, side = wider, side // 2
    return layers, channels


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def _recordwise_block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(RecordwiseCNN.GROUPS, outputs), nn.ReLU()]
