"""Principal component residual: how far an image lies from the plane that the normals span.

The baseline that a generative detector must beat: Mintmark's own survey found it ahead of most published deep detectors
on small grey images. Choosing the number of components is the caller's affair.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from sklearn.decomposition import PCA

from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PcaResidual:
    """The plane of the normals.

    Attributes:
        mean: The mean normal, flattened in (channels, height, width) order.
        components: Orthonormal rows, largest variance first.
        shape: (height, width, channels) of the images.
    """

    mean: Float[torch.Tensor, " values"]
    components: Float[torch.Tensor, "components values"]
    shape: tuple[int, int, int]

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "pca_residual"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """Euclidean distance of each image from the plane.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return torch.linalg.vector_norm((images - self._project(images)).flatten(1), dim=1)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The nearest point of the plane, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return explained(images, self._project(images))

    def coordinates(
        self, images: Float[torch.Tensor, "n channels height width"]
    ) -> Float[torch.Tensor, "n components"]:
        """Where in the plane each image's nearest point lies, in pixels from the mean along each component.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        require_shape(images, self.shape, whose="the normals'")
        return (images.flatten(1) - self.mean) @ self.components.T

    def images(
        self, coordinates: Float[torch.Tensor, "n components"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """The images at some coordinates."""
        height, width, channels = self.shape
        return (self.mean + coordinates @ self.components).unflatten(1, (channels, height, width))

    def _project(self, images: torch.Tensor) -> torch.Tensor:
        return self.images(self.coordinates(images))


def fit(normals: Float[torch.Tensor, "n channels height width"], *, num_components: int) -> PcaResidual:
    """The plane of the `num_components` directions in which the normals vary most.

    Raises:
        BadInput: the normals, or the values of an image, are too few for that many components.
    """
    flat = normals.flatten(1).double().numpy()
    most = min(len(flat) - 1, flat.shape[1])
    if not 1 <= num_components <= most:
        raise BadInput(
            f"num_components: expected 1 to {most} with {len(flat)} normals of {flat.shape[1]} values, "
            f"got {num_components}"
        )
    solver = "covariance_eigh" if len(flat) > flat.shape[1] else "full"  # both exact; whichever matrix is smaller
    plane = PCA(num_components, svd_solver=solver).fit(flat)
    channels, height, width = normals.shape[1:]
    return PcaResidual(
        mean=torch.from_numpy(plane.mean_).float(),
        components=torch.from_numpy(plane.components_).float().contiguous(),  # the layout of a file: same rounding
        shape=(height, width, channels),
    )
