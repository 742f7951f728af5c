"""The Fréchet distance against closed forms, identities and SciPy's square root of a matrix."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mintmark.fidelity.frechet import frechet_distance


def normal(n: int, features: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def exactly(points: torch.Tensor, mean: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """The points moved so that their mean is `mean` and their covariance is factor' factor, to rounding."""
    centred = points - points.mean(dim=0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(centred.T.cov().T).mT, centred, upper=True, left=False)
    return white @ factor + mean


def test_two_gaussians_with_one_basis_have_the_closed_form():
    """|mu1 - mu2|^2 + sum of (s1 - s2)^2 over the axes."""
    mean, other = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([1.0, 0.0, 6.0]).double()
    widths, others = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([3.0, 2.0, 0.1]).double()
    basis = torch.linalg.qr(normal(3, 3, seed=5)).Q
    first = exactly(normal(50, 3), mean, widths.diag() @ basis)
    second = exactly(normal(70, 3, seed=1), other, others.diag() @ basis)
    assert frechet_distance(first, second) == pytest.approx(4 + 9 + 4 + 0 + 0.16)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_agrees_with_the_square_root_of_the_product_of_the_covariances(seed: int):
    rng = np.random.default_rng(seed)
    first, second = (rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6)) for _ in range(2))
    covariances = [np.cov(points, rowvar=False) for points in (first, second)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    shift = ((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum()
    expected = shift + np.trace(covariances[0] + covariances[1] - 2 * np.real(root))
    assert frechet_distance(torch.from_numpy(first), torch.from_numpy(second)) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "features"), [(30, 5), (10, 40), (2, 3)])
def test_a_set_lies_at_zero_from_itself_and_at_the_squared_shift_from_itself_shifted(n: int, features: int):
    points, shift = normal(n, features), torch.arange(features).double()
    assert frechet_distance(points, points) == pytest.approx(0.0, abs=1e-12)
    assert frechet_distance(points, points + shift) == pytest.approx(float(shift.square().sum()))


def test_fewer_records_than_features_lose_no_digits():
    """Of singular covariances in orthogonal planes the root has trace 0: what stays are the two spreads."""
    first, second = torch.zeros(6, 40).double(), torch.zeros(6, 40).double()
    first[:, :5], second[:, 5:10] = normal(6, 5), normal(6, 5, seed=1)
    expected = sum(float(points.var(dim=0).sum()) for points in (first, second))
    expected += float((first.mean(dim=0) - second.mean(dim=0)).square().sum())
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_order_rotation_and_shift_of_both_change_nothing_and_scale_counts_squared(seed: int, scale: float):
    first, second = normal(20, 4, seed=seed), 2 * normal(25, 4, seed=seed + 1)
    distance = frechet_distance(first, second)
    rotation = torch.linalg.qr(normal(4, 4, seed=seed + 2)).Q
    shift = normal(1, 4, seed=seed + 3)
    assert frechet_distance(second, first) == pytest.approx(distance)
    assert frechet_distance(first.flip(0), second) == pytest.approx(distance)
    assert frechet_distance(first @ rotation + shift, second @ rotation + shift) == pytest.approx(distance)
    assert frechet_distance(first * scale, second * scale) == pytest.approx(distance * scale**2)


def test_two_samples_of_one_population_lie_farther_apart_the_fewer_their_records():
    small, large = (frechet_distance(normal(n, 16), normal(n, 16, seed=1)) for n in (40, 400))
    assert small > 5 * large > 0


def test_single_precision_features_are_taken_in_double():
    points = 1000 + normal(200, 8).float()
    assert frechet_distance(points, points.double() + 1) == pytest.approx(8.0, rel=1e-9)


def test_one_record_or_an_infinite_feature_is_refused():
    with pytest.raises(ValueError, match="at least two records to have a covariance, got 1"):
        frechet_distance(normal(1, 2), normal(3, 2))
    with pytest.raises(ValueError, match="features must be finite"):
        frechet_distance(normal(3, 2), normal(3, 2) / 0)
