"""What every detector of this family can do, so that they are judged by one protocol.

Each module fits one kind: `fit(normals, ...)` gives a detector that scores images and explains its scores. No detector
sees an anomaly before it is judged. Knows nothing of thresholds, of corruptions, or of files.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float

from mintmark.errors import BadInput


class Explanation(NamedTuple):
    """Why images got their scores.

    Attributes:
        reconstruction: The most similar images that the detector takes for normal, near [-1, 1].
        residual: How far each pixel lies from that, 0 or more, averaged over channels: the heat map.
    """

    reconstruction: Float[torch.Tensor, "n channels height width"]
    residual: Float[torch.Tensor, "n height width"]


@runtime_checkable
class Detector(Protocol):
    """Scores images of one shape; each image's score depends on that image alone."""

    @property
    def kind(self) -> str:
        """The detector's name in params, measurements and files."""
        ...

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """One score an image, 0 or more, higher for more anomalous.

        Raises:
            BadInput: the images are of another shape than those it was fitted on.
        """
        ...

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """What the detector would have expected instead, and where the image differs.

        Raises:
            BadInput: the images are of another shape than those it was fitted on.
        """
        ...


def explained(images: torch.Tensor, reconstruction: torch.Tensor) -> Explanation:
    """The explanation that a reconstruction gives."""
    return Explanation(reconstruction, (images - reconstruction).abs().mean(dim=1))


def require_shape(images: torch.Tensor, shape: tuple[int, int, int], *, whose: str) -> None:
    """Refuse images whose (height, width, channels) are not `shape`.

    Raises:
        BadInput: names both shapes.
    """
    channels, height, width = images.shape[1:]
    if (height, width, channels) != shape:
        raise BadInput(f"images: expected (height, width, channels) {shape}, {whose}, got {(height, width, channels)}")
