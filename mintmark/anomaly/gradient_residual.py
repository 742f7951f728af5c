"""How far an image's edges lie from the plane that the normals' span: principal components of oriented gradients.

What `pca` does with pixels. A plane of gradients expects no picture, so an image is explained by the normal nearest to it
in the plane. So the detector keeps its training records and must not be handed out.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from mintmark.anomaly import pca
from mintmark.anomaly.descent import in_blocks, require_normals
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.anomaly.gradients import gradients
from mintmark.anomaly.pca import PcaResidual
from mintmark.neighbours import nearest


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GradientResidual:
    """The plane of the normals' gradients.

    Attributes:
        plane: Of gradients, as if each image's were one row of pixels.
        normals: What was fitted on.
    """

    plane: PcaResidual
    normals: Float[torch.Tensor, "normals channels height width"]

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "gradient_residual"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Euclidean distance of each image's gradients from the plane.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return self.plane.score(self._rows(images))

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The normal that lies nearest in the plane, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        places = self.plane.coordinates(self._rows(images))
        found = nearest(places, self.plane.coordinates(self._rows(self.normals)))
        return explained(images, self.normals[found.indices[:, 0]])

    def _rows(self, images: torch.Tensor) -> torch.Tensor:
        channels, height, width = self.normals.shape[1:]
        require_shape(images, (height, width, channels), whose="the normals'")
        return in_blocks(gradients, images)[:, None, None]


def fit(normals: Float[torch.Tensor, "n channels height width"], *, num_components: int) -> GradientResidual:
    """The plane of the `num_components` directions in which the normals' gradients vary most.

    Raises:
        BadInput: the normals are not finite, or they or the gradients of an image are too few for that many components.
    """
    require_normals(normals)
    return GradientResidual(
        plane=pca.fit(in_blocks(gradients, normals)[:, None, None], num_components=num_components), normals=normals
    )
