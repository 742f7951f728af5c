"""Clusters among neighbours: many mixtures in the places of several neighbour graphs, and what most of them say.

The places have more dimensions than there are clusters: which of the weaker borders part clusters and which run through
one is left to mixtures with full covariances, whose clusters may be long (deep clustering that fits a mixture to a
manifold's coordinates, as N2D of McConville et al. 2021 does, here without a network). One such fit depends on its
start, so many vote. Records that were not there when it was fitted have no place: it assigns those that it was given,
and no others. Knows nothing of labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from mintmark.cluster.consensus import Consensus, consensus
from mintmark.cluster.neighbour_graph import neighbour_graph, places, smoothest
from mintmark.errors import BadInput

FLOOR = 1e-4  # added to every variance: places are rows of length 1, on a sphere, and have none outwards


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How the mixtures are fitted: so many in every pair of a graph and a number of dimensions.

    Attributes:
        neighbours: Of each graph, how many each record has.
        dimensions: Of the places, for each graph.
        fits: Mixtures in each, which differ by their starts.
    """

    neighbours: tuple[int, ...]
    dimensions: tuple[int, ...]
    fits: int

    def __post_init__(self) -> None:
        for name, least in {"neighbours": 2, "dimensions": 1}.items():
            if not getattr(self, name) or min(getattr(self, name)) < least:
                raise ValueError(f"{name} must be one or more of at least {least}, got {getattr(self, name)}")
        if self.fits < 1:
            raise ValueError(f"fits must be at least 1, got {self.fits}")


class Found(NamedTuple):
    """What the mixtures say.

    Attributes:
        together: By vote.
        each: Every mixture's cluster of each record, ordered by set of features, neighbours, dimensions, start.
        loss: Mean negative log density of a record over all mixtures; of one recipe and data set, lower fits better.
    """

    together: Consensus
    each: Int64[torch.Tensor, "fits n"]
    loss: float


def fit(spaces: Sequence[Float[torch.Tensor, "n _"]], *, num_clusters: int, recipe: Recipe, seed: int) -> Found:
    """Cluster records by who lies beside whom.

    Args:
        spaces: One or more sets of features of the same records, each with graphs of its own; all have equal votes.
        num_clusters: Of every mixture, at least 2.
        recipe: How.
        seed: Of the mixtures' starts.

    Raises:
        BadInput: there are no features, or too few records for the clusters, neighbours or dimensions.
    """
    if not spaces:
        raise BadInput("spaces: expected at least one set of features, got none")
    if not 2 <= num_clusters < len(spaces[0]):
        raise BadInput(f"num_clusters: expected 2 to {len(spaces[0]) - 1}, fewer than records, got {num_clusters}")
    rng = np.random.default_rng(seed)
    each, densities = [], []
    for points, neighbours in product(spaces, recipe.neighbours):
        graph = neighbour_graph(points, num_neighbours=neighbours)
        vectors = smoothest(graph, num_dimensions=max(recipe.dimensions), seed=seed)
        for dimensions, _ in product(recipe.dimensions, range(recipe.fits)):
            own = int(rng.integers(2**31))
            clusters, density = _mixture(places(vectors[:, :dimensions]), num_clusters=num_clusters, seed=own)
            each.append(clusters)
            densities.append(density)
    partitions = torch.from_numpy(np.stack(each)).long()
    return Found(consensus(partitions, num_clusters=num_clusters), partitions, -float(np.mean(densities)))


def _mixture(
    rows: Float[np.ndarray, "n dimensions"], *, num_clusters: int, seed: int
) -> tuple[Int64[np.ndarray, " n"], float]:
    """The component of each row in one mixture, and the mean log density of a row."""
    mixture = GaussianMixture(num_clusters, reg_covar=FLOOR, random_state=seed)
    with threadpool_limits(limits=1):
        clusters = mixture.fit_predict(rows)
    return clusters, float(mixture.lower_bound_)
