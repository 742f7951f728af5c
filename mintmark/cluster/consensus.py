"""One partition of many: the fits are named alike, and each record goes where most of them put it.

Fits of one data set slip in different places, so that their majority is right more often than most of them (Dudoit and
Fridlyand 2003). They are named after the fit that agrees best with all others. Knows nothing of labels, nor of how the
fits came about.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.cluster.scores import contingency, matching
from mintmark.cluster.vote import named_alike

Partitions = Int64[torch.Tensor, "fits n"]


class Consensus(NamedTuple):
    """What the fits say together.

    Attributes:
        clusters: Of each record, by the names of the central fit.
        agreement: Each fit's mean share of records on which it agrees with another, named alike; 1 of a single fit.
        central: The fit of the highest agreement.
    """

    clusters: Int64[torch.Tensor, " n"]
    agreement: Float[np.ndarray, " fits"]
    central: int


def consensus(partitions: Partitions, *, num_clusters: int) -> Consensus:
    """The cluster that most fits give each record; of equally many votes, the lowest number wins.

    Args:
        partitions: Clusters 0 to `num_clusters` - 1 of the same records.
        num_clusters: Of every fit.
    """
    agreement = agreements(partitions, num_clusters=num_clusters)
    central = int(agreement.argmax())
    order = [central, *(fit for fit in range(len(partitions)) if fit != central)]
    named = named_alike(partitions, order, num_clusters=num_clusters)
    votes = torch.nn.functional.one_hot(named, num_clusters).sum(dim=0)
    return Consensus(votes.argmax(dim=1), agreement, central)


def agreements(partitions: Partitions, *, num_clusters: int) -> Float[np.ndarray, " fits"]:
    """How well each fit agrees with the others, as `Consensus` says."""
    fits = partitions.cpu().numpy()
    shares = np.ones((len(fits), len(fits)))
    for one in range(len(fits)):
        for other in range(one):
            table = contingency(fits[one], fits[other], num_clusters=num_clusters, num_classes=num_clusters)
            shared = sum(int(table[pair]) for pair in matching(table).items())
            shares[one, other] = shares[other, one] = shared / fits.shape[1]
    return (shares.sum(axis=1) - 1) / (len(fits) - 1) if len(fits) > 1 else np.ones(1)
