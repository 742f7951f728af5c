"""Near images against SciPy's pairwise distances."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from mintmark.data.near_sets import near_sets


def test_near_images_are_the_clusters_of_single_linkage(digits):
    images = digits.images[:300]
    distance = 25.0
    flat = images.reshape(300, -1).astype(float) / 8.0  # the root of 64 pixels: Euclidean becomes root mean square
    expected = fcluster(linkage(flat, "single"), distance, "distance")
    found = near_sets(images, distance=distance)
    assert 2 < len(set(expected.tolist())) < 298
    assert len(set(zip(found.tolist(), expected.tolist(), strict=True))) == len(set(found.tolist()))
    assert len(set(found.tolist())) == len(set(expected.tolist()))


def test_the_distance_is_in_pixel_levels_and_inclusive():
    images = np.zeros((3, 4, 4, 1), np.uint8)
    images[1] += 2
    images[2] += 5
    assert near_sets(images, distance=2.0).tolist() == [0, 0, 1]
    assert near_sets(images, distance=1.9).tolist() == [0, 1, 2]
    assert near_sets(images, distance=3.0).tolist() == [0, 0, 0]
