"""Isolation forest (Liu et al. 2008) on pixels: how few random cuts part an image from the normals.

A forest expects no picture. An image is explained by the normal nearest to it, so the detector keeps its training records
and must not be handed out.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float

from mintmark.anomaly.descent import require_normals
from mintmark.anomaly.detector import Explanation, explained, require_shape
from mintmark.errors import BadInput
from mintmark.neighbours import nearest


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class IsolationForest:
    """The trees that cut the space of images.

    Attributes:
        forest: scikit-learn's.
        normals: What was fitted on.
    """

    forest: Any
    normals: Float[torch.Tensor, "normals channels height width"]

    @property
    def kind(self) -> str:
        """The detector's name."""
        return "isolation_forest"

    def score(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """The paper's equation 2, 2 ** (-mean depth / c(sample size)), from 0 to 1; about 0.5 for the average image.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        self._require_shape(images)
        if not len(images):
            return images.new_zeros(0)
        return torch.from_numpy(-self.forest.score_samples(images.flatten(1).numpy())).to(images.dtype)

    def explain(self, images: Float[torch.Tensor, "n channels height width"]) -> Explanation:
        """The nearest normal, and the distance from it at each pixel.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        self._require_shape(images)
        found = nearest(images.flatten(1), self.normals.flatten(1))
        return explained(images, self.normals[found.indices[:, 0]])

    def _require_shape(self, images: torch.Tensor) -> None:
        channels, height, width = self.normals.shape[1:]
        require_shape(images, (height, width, channels), whose="the normals'")


def fit(
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    num_trees: int,
    sample_size: int,
    seed: int,
) -> IsolationForest:
    """Grow the trees.

    Args:
        normals: Pixels in [-1, 1].
        num_trees: How many trees (100 in the paper).
        sample_size: Normals that each tree is grown on (256 in the paper); all of them, where there are fewer.
        seed: Where samples and cuts come from.

    Raises:
        BadInput: the normals are too few or not finite, or a setting is out of range.
    """
    from sklearn import ensemble  # heavy, and most stages need none

    require_normals(normals)
    for name, value, least in (("num_trees", num_trees, 1), ("sample_size", sample_size, 2)):
        if value < least:
            raise BadInput(f"{name}: expected at least {least}, got {value}")
    size: Any = min(sample_size, len(normals))  # the stubs know only "auto"
    forest = ensemble.IsolationForest(n_estimators=num_trees, max_samples=size, random_state=seed)
    return IsolationForest(forest=forest.fit(normals.flatten(1).numpy()), normals=normals)
