"""What every clustering of this family can do: be fitted, assign, align, and show its prototypes.

A prototype is an image. A method's `fit` draws several starts and keeps the one of the lowest final loss; labels play no
part. Knows nothing of labels, files or how a method learns.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64

from mintmark.errors import BadInput


class Assignment(NamedTuple):
    """Each image's cluster, and its mean squared difference per pixel from what that cluster makes of it."""

    clusters: Int64[torch.Tensor, " n"]
    distances: Float[torch.Tensor, " n"]


@runtime_checkable
class Clustering(Protocol):
    """A fitted clustering of images in [-1, 1]."""

    @property
    def prototypes(self) -> Float[torch.Tensor, "clusters channels height width"]:
        """The clusters' pictures, in about [-1, 1]."""
        ...

    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The nearest cluster of each image."""
        ...

    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Each image carried into the frame of its cluster's prototype."""
        ...


class Entry(NamedTuple):
    """One point of a start's history: its loss, and under which transformations it was measured."""

    start: int
    step: int
    loss: float
    transformation: str


class Fit(NamedTuple):
    """What `fit` found.

    Attributes:
        best: The start of the lowest final loss.
        losses: Each start's final loss over all images: the mean of `Assignment.distances`, or what a method says.
        clusters: Each start's cluster of each image.
        history: Losses on the way.
        cost: Steps and counts, never seconds.
    """

    best: Clustering
    losses: Float[torch.Tensor, " starts"]
    clusters: Int64[torch.Tensor, "starts n"]
    history: tuple[Entry, ...]
    cost: dict[str, float]


def require_finite(images: Float[torch.Tensor, "n channels height width"]) -> None:
    """Refuse images that hold something else than numbers.

    Raises:
        BadInput: a pixel is infinite or not a number.
    """
    broken = torch.nonzero(~torch.isfinite(images.flatten(1)).all(dim=1))
    if len(broken):
        raise BadInput(f"record {int(broken[0])}: expected finite pixels, got others in {len(broken)} records")


def require_distinct(images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int) -> None:
    """Refuse images among which there cannot be that many clusters.

    Raises:
        BadInput: there are fewer different images than clusters, or no clusters.
    """
    if num_clusters < 1:
        raise BadInput(f"num_clusters must be at least 1, got {num_clusters}")
    if len(images) < num_clusters:
        raise BadInput(f"expected at least {num_clusters} records for {num_clusters} clusters, got {len(images)}")
    distinct = len(torch.unique(images.flatten(1), dim=0))
    if distinct < num_clusters:
        raise BadInput(
            f"expected at least {num_clusters} different records for {num_clusters} clusters, got {distinct} among "
            f"{len(images)} records"
        )
