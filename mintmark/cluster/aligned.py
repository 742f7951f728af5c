"""Clustered records as a data set of their own: the cluster as label, each record carried into its prototype's frame.

The images are real records, moved: they are as private as those they come from. Knows nothing of files.
"""

import numpy as np
import torch

from mintmark.cluster.clustering import Assignment, Clustering
from mintmark.data.images import ImageSet, to_bytes, to_unit

BLOCK_RECORDS = 4096


def aligned(records: ImageSet, clustering: Clustering, found: Assignment) -> ImageSet:
    """The same records, ids and order, under their clusters' names and in their prototypes' frames.

    Args:
        records: Of which `found` tells.
        clustering: What found the clusters.
        found: Each record's cluster, on the device of the clustering.
    """
    count, device = len(clustering.prototypes), found.clusters.device
    blocks = []
    for rows in torch.arange(len(records)).split(BLOCK_RECORDS):
        images = to_unit(records.images[rows.numpy()]).to(device)
        blocks.append(to_bytes(clustering.align(images, found.clusters[rows.to(device)])))
    return ImageSet(
        ids=records.ids,
        codes=found.clusters.cpu().numpy(),
        images=np.concatenate(blocks),
        classes=names_of(count),
    )


def names_of(num_clusters: int) -> tuple[str, ...]:
    """The clusters' numbers, padded with zeros, so that their alphabetical order is that of the numbers."""
    digits = len(str(num_clusters - 1))
    return tuple(str(cluster).zfill(digits) for cluster in range(num_clusters))
