"""Clusters by vote: each image goes where most of the nearest training images go, in several starts of low loss.

A prototype that is moved and bent takes images that are none of its kind: a 1 with a foot is a narrow 2. The images
most like it, pixel by pixel, are mostly taken by the right one, and so is the image itself in other starts, which slip
elsewhere. Knows nothing of labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.cluster.clustering import Assignment
from mintmark.cluster.model import TransformedClusters
from mintmark.cluster.scores import contingency, matching
from mintmark.neighbours import nearest

NEAREST_COUNTS = 1.5  # votes: ties go where the nearest image goes, which for a training image is itself


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Voted:
    """Clusters up to transformations, of which each image's is voted on; a `Clustering`.

    Attributes:
        clustering: Whose clusters they are.
        images: Those that vote, in [-1, 1].
        clusters: The cluster of each of them in each start that votes, by the names of the clustering's.
        voters: How many of them vote on an image, the nearest; on a training image, itself among them.
    """

    clustering: TransformedClusters
    images: Float[torch.Tensor, "m channels height width"]
    clusters: Int64[torch.Tensor, "starts m"]
    voters: int

    @property
    def prototypes(self) -> Float[torch.Tensor, "clusters channels height width"]:
        """The clusters' pictures, in about [-1, 1]."""
        return self.clustering.prototypes

    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The cluster that most voters have, and the distance from what that cluster makes of each image."""
        asked = nearest(images.flatten(1), self.images.flatten(1), k=min(self.voters, len(self.images)))
        votes = torch.nn.functional.one_hot(self.clusters[:, asked.indices], len(self.prototypes)).double()
        votes[:, :, 0] *= NEAREST_COUNTS  # (starts, n, voters, clusters)
        clusters = votes.sum(dim=(0, 2)).argmax(dim=1)
        distances = self.clustering.distances(images)
        return Assignment(clusters, distances.gather(0, clusters[None])[0])

    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Each image carried into the frame of its cluster's prototype."""
        return self.clustering.align(images, clusters)


def named_alike(
    clusters: Int64[torch.Tensor, "starts n"], order: Sequence[int], *, num_clusters: int
) -> Int64[torch.Tensor, "chosen n"]:
    """The clusters of some starts by the names of the first one's, so that most images agree (Kuhn 1955).

    Args:
        clusters: Of every start.
        order: Which starts, and in which order.
        num_clusters: Of each start.
    """
    chosen = clusters[list(order)].cpu().numpy()
    counted = {"num_clusters": num_clusters, "num_classes": num_clusters}
    names = [matching(contingency(one, chosen[0], **counted)) for one in chosen]
    renamed = [np.array([name[k] for k in range(num_clusters)])[one] for name, one in zip(names, chosen, strict=True)]
    return torch.from_numpy(np.stack(renamed)).to(clusters.device)
