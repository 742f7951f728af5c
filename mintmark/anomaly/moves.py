"""Geometric transformations (Golan and El-Yaniv 2018): who knows the normals can tell how one of them was moved.

A network is taught, on normals alone, to tell how an image was turned and shifted (`pretext`). It does so on further
normals, and is at a loss where an image is foreign. The paper's simple score is the mean, over all moves, of the
probability that the network gives to the truth; ours, of its logarithm, which does not saturate.

Such a network expects no picture. An image is explained by the normal whose answers are nearest to its own, so the
detector keeps its training records and must not be handed out.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from mintmark.anomaly.descent import Training, in_blocks, require_normals
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.anomaly.pretext import PatchNetwork, fit_patches, move, num_moves
from mintmark.neighbours import nearest


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moves:
    """The network, and what it was taught on."""

    network: PatchNetwork
    normals: Float[torch.Tensor, "normals channels height width"]

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "moves"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Mean cross-entropy of how each image was moved, over all moves.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return -self._answers(images).log_softmax(dim=2).diagonal(dim1=1, dim2=2).mean(dim=1)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The normal whose answers are nearest, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        found = nearest(self._answers(images).flatten(1), self._answers(self.normals).flatten(1))
        return explained(images, self.normals[found.indices[:, 0]])

    def _answers(self, images: torch.Tensor) -> Float[torch.Tensor, "n moves answers"]:
        """The logits of every image after every move."""
        require_shape(images, self.network.shape, whose="the normals'")

        def ask(block: torch.Tensor) -> torch.Tensor:
            codes = torch.arange(num_moves(self.network.shape))
            return torch.stack([self.network(move(block, code.expand(len(block)))) for code in codes], dim=1)

        return in_blocks(ask, images)


def fit(normals: Float[torch.Tensor, "n channels height width"], *, width: int, training: Training, seed: int) -> Moves:
    """Teach the network how normals are moved.

    Args:
        normals: Pixels in [-1, 1].
        width: Channels of the network's first layer.
        training: Of the network.
        seed: Where the weights, the batches and the moves come from.

    Raises:
        BadInput: the normals are too few or not finite.
    """
    shape = require_normals(normals)
    network = fit_patches(normals, shape=shape, width=width, training=training, seed=seed)
    return Moves(network=network, normals=normals)
