"""Distance to the nearest normals as their edges see it: nearest neighbours among histograms of oriented gradients.

It keeps every normal, so it must never be shipped: whoever holds it holds the training records.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from mintmark.anomaly.descent import in_blocks, require_normals
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.anomaly.gradients import gradients
from mintmark.errors import BadInput
from mintmark.neighbours import Neighbours, nearest


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GradientNearest:
    """The normals, and their gradients.

    Attributes:
        normals: All of them.
        features: Of each.
        num_neighbours: Over how many of the nearest a distance is averaged.
    """

    normals: Float[torch.Tensor, "normals channels height width"]
    features: Float[torch.Tensor, "normals features"]
    num_neighbours: int

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "gradient_nearest"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Mean Euclidean distance of each image's gradients to the nearest normals' ones.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return self._nearest(images).distances.mean(dim=1)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The mean of the normals whose gradients are nearest, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return explained(images, self.normals[self._nearest(images).indices].mean(dim=1))

    def _nearest(self, images: torch.Tensor) -> Neighbours:
        channels, height, width = self.normals.shape[1:]
        require_shape(images, (height, width, channels), whose="the normals'")
        return nearest(in_blocks(gradients, images), self.features, k=self.num_neighbours)


def fit(normals: Float[torch.Tensor, "n channels height width"], *, num_neighbours: int) -> GradientNearest:
    """Keep the normals and their gradients.

    Raises:
        BadInput: the normals are too few or not finite, or fewer than the neighbours.
    """
    require_normals(normals)
    if not 1 <= num_neighbours <= len(normals):
        raise BadInput(f"num_neighbours: expected 1 to {len(normals)}, the number of normals, got {num_neighbours}")
    return GradientNearest(normals=normals, features=in_blocks(gradients, normals), num_neighbours=num_neighbours)
