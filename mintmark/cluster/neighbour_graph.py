"""Who lies beside whom, as a weighted graph, and the places of its smoothest functions.

Clusters of images are seldom balls: a sleeve that grows longer step by step leads from one image to another through
many in between. A graph of near neighbours follows such paths. Its weights are those of UMAP (McInnes, Healy and
Melville 2018, section 3.1), its places those of spectral clustering (Ng, Jordan and Weiss 2001). Knows nothing of
labels, nor of what the points are.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import eigsh
from threadpoolctl import threadpool_limits

from mintmark.errors import BadInput
from mintmark.neighbours import nearest

BISECTIONS = 60  # of a bandwidth; halves its bracket down to the rounding of doubles


def neighbour_graph(points: Float[torch.Tensor, "n features"], *, num_neighbours: int) -> csr_array:
    """Symmetric weights in 0..1 between each point and its nearest: 1 for the nearest, and the rest by rank and distance.

    Every point has weights of the same sum, log2 of the number of neighbours, whether it lies among many or alone; two
    points that name each other get the probability that either of two independent edges is there.

    Args:
        points: No point is its own neighbour.
        num_neighbours: At least 2.

    Raises:
        BadInput: there are too few neighbours, or no more points than that.
    """
    if not 2 <= num_neighbours < len(points):
        raise BadInput(f"num_neighbours: expected 2 to {len(points) - 1}, fewer than records, got {num_neighbours}")
    found = nearest(points, points, k=num_neighbours, same_set=True)
    weights = _weights(found.distances.double()).cpu().numpy()
    num = len(points)
    rows = np.repeat(np.arange(num), num_neighbours)
    one_way = csr_array((weights.ravel(), (rows, found.indices.cpu().numpy().ravel())), shape=(num, num))
    return csr_array(one_way + one_way.T - one_way.multiply(one_way.T))


def smoothest(graph: csr_array, *, num_dimensions: int, seed: int) -> Float[np.ndarray, "n dimensions"]:
    """The leading eigenvectors of a graph's normalised weights, as columns, that of the largest eigenvalue first.

    Args:
        graph: Symmetric, each point with a weight.
        num_dimensions: How many eigenvectors.
        seed: Of the vector that the search for them starts from.

    Raises:
        BadInput: there are no dimensions, or no more points than that.
    """
    num = graph.shape[0]
    if not 1 <= num_dimensions < num:
        raise BadInput(f"num_dimensions: expected 1 to {num - 1}, fewer than records, got {num_dimensions}")
    scale = diags_array(1 / np.sqrt(graph.sum(axis=1)))
    begin = np.random.default_rng(seed).standard_normal(num)
    with threadpool_limits(limits=1):  # more threads add up in another order
        # To the last bit: pieces without an edge between them have equal eigenvalues, and a search that stops early
        # finds one of them.
        values, vectors = eigsh(scale @ graph @ scale, k=num_dimensions, which="LA", v0=begin, tol=0)
    return vectors[:, np.argsort(-values)]


def places(vectors: Float[np.ndarray, "n dimensions"]) -> Float[np.ndarray, "n dimensions"]:
    """Rows of length 1: points of a group that few weights leave get nearly the same, whatever their own weights' sum."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny)


def _weights(distances: Float[torch.Tensor, "n k"]) -> Float[torch.Tensor, "n k"]:
    """exp(-(d - nearest d) / bandwidth), where each point's bandwidth, found by bisection, gives them their sum."""
    beyond = distances - distances[:, :1]
    wanted = math.log2(distances.shape[1])
    low, high = torch.zeros_like(beyond[:, :1]), _widest(beyond)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        too_wide = torch.exp(-beyond / middle).sum(dim=1, keepdim=True) > wanted
        low, high = torch.where(too_wide, low, middle), torch.where(too_wide, middle, high)
    return torch.exp(-beyond / high)


def _widest(beyond: Float[torch.Tensor, "n k"]) -> Float[torch.Tensor, "n 1"]:
    """A bandwidth at which the weights' sum is too large: at one farthest distance a neighbour, all exceed 1 - 1/k."""
    return beyond[:, -1:].clamp_min(torch.finfo(beyond.dtype).tiny ** 0.5) * beyond.shape[1]
