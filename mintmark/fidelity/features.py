"""Records as features of a network: one trained on the real training records, or one whose weights the user supplies.

Pixels say little of what a picture shows. A network that was taught the real classes, and nothing synthetic, sees what
matters for them; a published one sees what matters for pictures at large, and makes distances comparable with others'.
Features are float64 on the CPU, whatever the device.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64, UInt8

from mintmark.classify.networks import SmallCNN
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet, to_unit
from mintmark.fidelity.dinov2 import Dinov2
from mintmark.fidelity.inception import Inception

TRAINED_BATCH = 512
PUBLISHED_BATCH = 32

Embed = Callable[[UInt8[np.ndarray, "n height width channels"]], Float64[torch.Tensor, "n features"]]


def trained(train: ImageSet, *, recipe: Recipe, seed: int, device: torch.device) -> Embed:
    """What the last layer sees of a classifier trained here on the training records; see `trained_network`."""
    network = trained_network(train, recipe=recipe, seed=seed, device=device)
    return lambda images: features_of(network, images)


def trained_network(train: ImageSet, *, recipe: Recipe, seed: int, device: torch.device) -> SmallCNN:
    """A classifier trained here on the training records.

    Raises:
        BadInput: no training record carries a label.
    """
    images, codes = train.tensors()
    network = train_classifier(images, codes, num_classes=len(train.classes), recipe=recipe, seed=seed, device=device)
    assert isinstance(network, SmallCNN)  # what is trained where no other kind is asked for
    return network


def features_of(
    network: SmallCNN, images: UInt8[np.ndarray, "n height width channels"]
) -> Float64[torch.Tensor, "n features"]:
    """What the last layer of a classifier sees of some images."""
    device = next(network.parameters()).device
    return _batched(images, lambda part: network.features(to_unit(part).to(device)), size=TRAINED_BATCH)


def published(network: Inception | Dinov2, *, device: torch.device) -> Embed:
    """What a published network makes of images of one or three channels; grey ones take the same value thrice."""
    network.to(device)

    def embed(images: np.ndarray) -> torch.Tensor:
        def forward(part: np.ndarray) -> torch.Tensor:
            pixels = torch.from_numpy(part.transpose(0, 3, 1, 2).astype(np.float32) / 255.0)
            return network(pixels.expand(-1, 3, -1, -1).contiguous().to(device))  # one layout, so equal bits

        return _batched(images, forward, size=PUBLISHED_BATCH)

    return embed


@torch.inference_mode()
def _batched(images: np.ndarray, forward: Callable[[np.ndarray], torch.Tensor], *, size: int) -> torch.Tensor:
    """The features of all images, in batches of one size: a batch of another rounds otherwise, and a copy must not."""
    rows = np.arange(-(-len(images) // size) * size) % len(images)  # the last batch is filled up
    parts = [forward(images[some]).double().cpu() for some in np.split(rows, len(rows) // size)]
    return torch.cat(parts)[: len(images)]
