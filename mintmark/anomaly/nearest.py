"""Distance to the nearest normals: the simplest detector of all.

It keeps every normal, so it must never be shipped: whoever holds it holds the training records.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.errors import BadInput
from mintmark.neighbours import nearest


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NearestNormals:
    """The normals themselves.

    Attributes:
        normals: All of them.
        num_neighbours: Over how many of the nearest a distance is averaged.
    """

    normals: Float[torch.Tensor, "normals channels height width"]
    num_neighbours: int

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "nearest"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Mean Euclidean distance of each image to its nearest normals.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        self._require_shape(images)
        return nearest(images.flatten(1), self.normals.flatten(1), k=self.num_neighbours).distances.mean(dim=1)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The mean of the nearest normals, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        self._require_shape(images)
        found = nearest(images.flatten(1), self.normals.flatten(1), k=self.num_neighbours)
        return explained(images, self.normals[found.indices].mean(dim=1))

    def _require_shape(self, images: torch.Tensor) -> None:
        channels, height, width = self.normals.shape[1:]
        require_shape(images, (height, width, channels), whose="the normals'")


def fit(normals: Float[torch.Tensor, "n channels height width"], *, num_neighbours: int) -> NearestNormals:
    """Keep the normals.

    Raises:
        BadInput: there are fewer normals than neighbours.
    """
    if not 1 <= num_neighbours <= len(normals):
        raise BadInput(f"num_neighbours: expected 1 to {len(normals)}, the number of normals, got {num_neighbours}")
    return NearestNormals(normals=normals, num_neighbours=num_neighbours)
