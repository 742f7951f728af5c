"""Which images are so near to each other that they must not be parted: shots of one scene, copies stored anew.

Exact: all pairs are measured, in blocks, so the work grows with the square of the images, and they are held in memory.
Knows no label and no part.
"""

import numpy as np
from jaxtyping import Int64, UInt8
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors


def near_sets(images: UInt8[np.ndarray, "n height width channels"], *, distance: float) -> Int64[np.ndarray, " n"]:
    """The number of the set that each image belongs to, from 0: any chain of near pairs makes one set.

    Args:
        images: Pixels from 0 to 255.
        distance: Root-mean-square difference of the pixels, in their levels, up to which a pair is near.
    """
    flat = images.reshape(len(images), -1).astype(np.float32)
    radius = distance * float(np.sqrt(flat.shape[1]))
    graph = NearestNeighbors(radius=radius, algorithm="brute").fit(flat).radius_neighbors_graph()
    return connected_components(graph, directed=False)[1].astype(np.int64)
