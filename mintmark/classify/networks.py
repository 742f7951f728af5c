"""The downstream classifier: a small convolutional network for images of any size.

Knows nothing of training. There is no dropout: it would draw from the global random state.
"""

import torch
from jaxtyping import Float
from torch import nn

SMALLEST_SIDE = 2  # halve no further


class SmallCNN(nn.Module):
    """One 3x3 convolution with batch normalisation a size, halving the image down to 2x2 or 3x3, then the mean of places.

    Attributes:
        shape: (height, width, channels) of the images.
        num_classes: How many logits.
        width: Channels of the first layer; they double with each halving, up to four times.
        num_features: Size of what `features` returns.
    """

    def __init__(self, shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__()
        self.shape, self.num_classes, self.width = shape, num_classes, width
        side = min(shape[:2])
        layers: list[nn.Module] = _block(shape[2], width)
        channels = width
        while side >= 2 * SMALLEST_SIDE:
            wider = min(2 * channels, 4 * width)
            layers += [nn.AvgPool2d(2), *_block(channels, wider)]
            channels, side = wider, side // 2
        self.num_features = channels
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels, num_classes)

    def features(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n features"]:
        """What the last layer sees of images in [-1, 1]."""
        return self.body(images).mean(dim=(2, 3))

    def forward(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n classes"]:
        """Logits of images in [-1, 1]."""
        return self.head(self.features(images))


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
