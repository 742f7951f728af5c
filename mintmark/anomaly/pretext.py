"""A network that learns what normals look like by telling how they were turned and shifted (Gidaris et al. 2018).

No label and no anomaly is needed: the question makes its own answers. Knows nothing of scores.
"""

import itertools
import math

import torch
from jaxtyping import Float, Int64
from torch import nn
from torch.nn import functional

from mintmark.anomaly.descent import Training, descend, seeded
from mintmark.gan.networks import halvings

SLOPE = 0.1
SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # in quarters of each side; what leaves enters opposite


class PatchNetwork(nn.Module):
    """Images to maps of features, each of one patch, and to the logits of how an image was moved.

    Attributes:
        shape: (height, width, channels) of the images.
        cell: (height, width) in pixels of the part of an image that is one place of the map.
        num_features: Of each place.
    """

    def __init__(self, *, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.shape = shape
        height, columns, channels = shape
        sizes = halvings(height, columns)
        strides = [
            (1 + int(large[0] != small[0]), 1 + int(large[1] != small[1])) for large, small in itertools.pairwise(sizes)
        ] or [(1, 1)]
        self.cell = (math.prod(one[0] for one in strides), math.prod(one[1] for one in strides))
        inside = [channels, *(width * 2**level for level in range(len(strides)))]
        self.convolutions = nn.ModuleList(
            [
                *(
                    nn.Conv2d(before, after, 3, stride=stride, padding=1)
                    for (before, after), stride in zip(itertools.pairwise(inside), strides, strict=True)
                ),
                nn.Conv2d(inside[-1], inside[-1], 3, padding=1),
            ]
        )
        self.num_features = inside[-1]
        self.head = nn.Linear(inside[-1] * sizes[-1][0] * sizes[-1][1], num_moves(shape))

    def maps(
        self, images: Float[torch.Tensor, "n channels height width"]
    ) -> Float[torch.Tensor, "n features rows columns"]:
        """The features of every place."""
        for convolution in self.convolutions:
            images = functional.leaky_relu(convolution(images), SLOPE)
        return images

    def forward(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "n moves"]:
        """Logits of how each image was moved."""
        return self.head(self.maps(images).flatten(1))


def fit_patches(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    shape: tuple[int, int, int],
    width: int,
    training: Training,
    seed: int,
) -> PatchNetwork:
    """Teach a network, by cross-entropy, how normals were moved; every normal of a batch by a draw of its own."""
    with seeded(seed):
        network = PatchNetwork(shape=shape, width=width)

    def loss(batch: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        codes = torch.randint(num_moves(shape), (len(batch),), generator=rng)
        return functional.cross_entropy(network(move(batch, codes)), codes.to(batch.device))

    descend(network, normals, loss, training=training, seed=seed)
    return network


def num_moves(shape: tuple[int, int, int]) -> int:
    """In how many ways images of a (height, width, channels) are moved: square ones are turned by quarters."""
    return len(SHIFTS) * (4 if shape[0] == shape[1] else 2)


def move(
    images: Float[torch.Tensor, "n channels height width"], codes: Int64[torch.Tensor, " n"]
) -> Float[torch.Tensor, "n channels height width"]:
    """Each image turned, then shifted, as its code says; 0 leaves it as it is."""
    height, width = images.shape[2:]
    quarters = 1 if height == width else 2
    moved = images.clone()
    for code in codes.unique().tolist():
        turn, shift = divmod(code, len(SHIFTS))
        down, right = SHIFTS[shift]
        turned = torch.rot90(images[codes == code], turn * quarters, dims=(2, 3))
        moved[codes == code] = turned.roll((down * (height // 4), right * (width // 4)), dims=(2, 3))
    return moved
