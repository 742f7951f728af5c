"""Each name is its method, and what transforms follows the shape."""

import pytest
import torch

from mintmark.cluster import methods
from mintmark.cluster.gaussian_mixture import GaussianMixture
from mintmark.cluster.kmeans import KMeans
from mintmark.cluster.shifted_kmeans import ShiftedKMeans

POINTS = torch.rand(30, 1, 1, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("method", "kind"), [("kmeans", KMeans), ("mixture", GaussianMixture), ("shifts", ShiftedKMeans)]
)
def test_a_name_is_its_method(method, kind):
    found = methods.fit(POINTS, method=method, num_clusters=3, farthest=2, seed=0)
    assert isinstance(found.best, kind)
    assert found.best.prototypes.shape == (3, 1, 1, 12)


def test_series_are_warped_in_time_and_images_in_the_plane():
    assert methods.warps(POINTS).transformations == ("time_warp", "colour")
    assert methods.warps(torch.zeros(1, 1, 8, 8)).transformations == ("affine", "colour")


@pytest.mark.parametrize(("method", "kind"), [("mixture", KMeans), ("warps", ShiftedKMeans)])
def test_a_number_is_chosen_by_what_moves_as_the_method_does(method, kind):
    assert isinstance(methods.quick(POINTS, method=method, num_clusters=2, farthest=2, seed=0), kind)
