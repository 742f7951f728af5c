"""The number of clusters: found where it is known, and none where there are none."""

import json
import tracemalloc

import numpy as np
import pytest
import torch

from mintmark.cluster import kmeans
from mintmark.cluster.number import Choice, Range, Stability, choose_number, cloud, exceedance
from mintmark.errors import BadInput
from mintmark.intervals import Interval

NUMBERS = (2, 7)


def by_pixels(images, num_clusters, seed):
    return kmeans.fit(images, num_clusters=num_clusters, recipe=kmeans.Recipe(starts=4, steps=20), seed=seed).best


def blobs(num_clusters, *, seed):
    """300 images of 3x3 about so many random ones."""
    rng = torch.Generator().manual_seed(seed)
    centres = torch.randn(num_clusters, 1, 3, 3, generator=rng)
    return centres[torch.arange(300) % num_clusters] + 0.2 * torch.randn(300, 1, 3, 3, generator=rng)


def choose(images, *, seed=0, numbers=NUMBERS, rounds=4):
    rng = np.random.default_rng(seed)
    among = Range(least=numbers[0], most=numbers[1], rounds=rounds)
    return choose_number(images, fitter=by_pixels, among=among, rng=rng)


@pytest.mark.parametrize("num_clusters", [2, 3, 5])
def test_a_known_number_is_found(num_clusters):
    found = choose(blobs(num_clusters, seed=num_clusters))
    assert found.chosen == num_clusters
    assert [one.num_clusters for one in found.curve] == [2, 3, 4, 5, 6, 7]
    true = found.curve[num_clusters - 2]
    assert found.p_value == 0.05
    assert true.agreement.value > 0.95
    assert true.of_clouds < true.highest_of_clouds < true.agreement.value


def test_no_number_is_invented_where_there_are_no_clusters():
    """A long cloud is parted stably along its axis: agreement alone would say two."""
    rng, invented, parted = torch.Generator().manual_seed(0), 0, []
    for seed in range(6):
        long = torch.randn(300, 1, 3, 3, generator=rng)
        long[:, 0, 0, 0] *= 8.0
        found = choose(long, seed=seed, numbers=(2, 3), rounds=3)
        parted.append(found.curve[0].agreement.value)
        invented += found.chosen is not None
    assert np.mean(parted) > 0.6
    assert invented <= 2  # each with a probability of 5%: more than two of six in one run of 450


def test_data_like_the_clouds_stand_out_as_often_as_any_of_them():
    rng = np.random.default_rng(0)
    found = np.array([exceedance(rng.uniform(size=(20, 6))) for _ in range(1000)])
    assert abs((found <= 0.05).mean() - 0.05) < 0.02
    assert abs(found.mean() - 0.525) < 0.03
    certain = rng.uniform(0.5, 0.9, size=(20, 6))
    certain[0, 2] = 1.0
    assert exceedance(certain) == 0.05


def test_a_cloud_has_the_mean_and_covariance_of_the_images_and_no_clusters():
    images = blobs(2, seed=0)
    drawn = cloud(images, rng=np.random.default_rng(0))
    many = torch.cat([cloud(images, rng=np.random.default_rng(seed)) for seed in range(20)])
    assert drawn.shape == images.shape
    assert (many.mean(dim=0) - images.mean(dim=0)).abs().max() < 0.1
    assert (many.flatten(1).T.cov() - images.flatten(1).T.cov()).abs().max() < 0.15


def test_a_cloud_of_few_images_lies_where_they_do():
    images = blobs(2, seed=0)[:3]
    drawn, middle = cloud(images, rng=np.random.default_rng(0)).flatten(1), images.flatten(1).mean(dim=0)
    basis, _ = torch.linalg.qr((images.flatten(1) - middle)[:2].T)
    assert torch.allclose((drawn - middle) @ basis @ basis.T, drawn - middle, atol=1e-5)


def test_memory_of_a_cloud_grows_with_the_number_of_images_and_not_with_its_square():
    images = torch.rand(4000, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    tracemalloc.start()
    try:
        cloud(images, rng=np.random.default_rng(0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 8 * images.numel()


def test_equal_seeds_choose_alike():
    images = blobs(3, seed=1)
    assert choose(images, numbers=(2, 3), rounds=2) == choose(images, numbers=(2, 3), rounds=2)


def test_a_choice_is_told_or_its_absence_refused():
    curve = tuple(Stability(k, Interval(0.9, 0.8, 1.0), 0.5, 0.6) for k in (2, 3))
    told = Choice(3, 0.05, curve)
    assert told.required() == 3
    assert json.loads(json.dumps(told.as_json()))["curve"][1]["agreement"]["low"] == 0.8
    with pytest.raises(BadInput, match=r"found no number of them from 2 to 3 .* \(p = 0\.40\): give num_clusters"):
        Choice(None, 0.4, curve).required()


def test_numbers_that_cannot_be_tried_are_refused():
    with pytest.raises(BadInput, match="expected at least 303 records to try 101 clusters, got 300"):
        choose(blobs(3, seed=1), numbers=(2, 101))
    with pytest.raises(ValueError, match=r"least must lie in 2\.\.most, got 1 with most 3"):
        Range(least=1, most=3, rounds=3)
    with pytest.raises(ValueError, match="rounds must be at least 2, got 1"):
        Range(least=2, most=3, rounds=1)
