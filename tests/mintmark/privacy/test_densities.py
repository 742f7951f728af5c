"""Kernel densities and neighbourhoods: by hand, beside scikit-learn and SciPy, and in blocks."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import gaussian_kde
from sklearn.neighbors import KernelDensity

from mintmark.privacy import densities
from mintmark.privacy.densities import log_density, neighbourhood_mass, scott_bandwidth


@pytest.fixture
def cloud() -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and points in three dimensions."""
    rng = np.random.default_rng(3)
    return torch.from_numpy(rng.normal(size=(17, 3))), torch.from_numpy(rng.normal(size=(40, 3)))


def test_the_density_of_two_kernels_by_hand():
    found = log_density(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [2.0]]), bandwidth=0.5)
    kernel = np.exp(-0.5 * (np.array([0.0, 2.0]) / 0.5) ** 2) / (0.5 * np.sqrt(2 * np.pi))
    assert found == pytest.approx([np.log(kernel.mean())] * 2)


def test_the_density_is_scikit_learns(cloud: tuple[torch.Tensor, torch.Tensor]):
    queries, points = cloud
    expected = KernelDensity(bandwidth=0.7).fit(points.numpy()).score_samples(queries.numpy())
    assert log_density(queries, points, bandwidth=0.7) == pytest.approx(expected)


def test_far_from_all_points_the_density_has_a_logarithm():
    assert log_density(torch.tensor([[1e3]]), torch.tensor([[0.0]]), bandwidth=1.0) == pytest.approx(
        [-0.5e6 - 0.5 * np.log(2 * np.pi)]
    )


def test_the_bandwidth_is_scotts():
    points = np.random.default_rng(0).normal(size=(2, 50))
    assert scott_bandwidth(50, dimensions=2) == pytest.approx(gaussian_kde(points).scotts_factor())


def test_a_neighbourhood_by_hand():
    """Nearest distances 1, 2 and 4: a radius of 2, within which the first query has a point at 1 and one at 2."""
    queries, points = torch.tensor([[0.0], [-3.0], [7.0]]), torch.tensor([[-1.0], [2.0], [3.0]])
    assert neighbourhood_mass(queries, points) == pytest.approx([np.log(2.0 / 1.0) / 3, 0.0, 0.0])


def test_a_neighbourhood_is_scipys_distances(cloud: tuple[torch.Tensor, torch.Tensor]):
    queries, points = cloud
    distances = cdist(queries.numpy(), points.numpy())
    radius = np.quantile(distances.min(axis=1), 0.5)
    expected = np.maximum(np.log(radius / distances), 0.0).mean(axis=1)
    assert neighbourhood_mass(queries, points) == pytest.approx(expected)


def test_blocks_change_nothing(cloud: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch):
    queries, points = cloud
    whole = log_density(queries, points, bandwidth=0.7), neighbourhood_mass(queries, points)
    monkeypatch.setattr(densities, "BLOCK_ELEMENTS", 3 * len(points))
    assert log_density(queries, points, bandwidth=0.7) == pytest.approx(whole[0])
    assert neighbourhood_mass(queries, points) == pytest.approx(whole[1])
