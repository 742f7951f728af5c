"""The kernel distance against its definition written out, and its promise: no bias, whatever the number of records."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mintmark.fidelity.kernel import kernel_distance


def normal(n: int, features: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def written_out(first: np.ndarray, second: np.ndarray) -> float:
    """Over all ordered pairs of two different records within a set, and all pairs between the sets."""

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    def within(points):
        return np.mean([kernel(x, y) for i, x in enumerate(points) for j, y in enumerate(points) if i != j])

    between = np.mean([kernel(x, y) for x in first for y in second])
    return float(within(first) + within(second) - 2 * between)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 10, 1 << 20]))
def test_agrees_with_the_definition_whatever_the_block(seed: int, block: int):
    first, second = normal(7, 3, seed=seed), 1 + normal(5, 3, seed=seed + 1)
    expected = written_out(first.numpy(), second.numpy())
    assert kernel_distance(first, second, block_elements=block) == pytest.approx(expected)


def test_by_hand():
    """One feature, sets {0, 1} and {2, 2}: kernels within are 1 and 125, between 1 and 27 twice."""
    first, second = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [2.0]])
    assert kernel_distance(first, second) == pytest.approx(1 + 125 - 2 * 14)


@pytest.mark.parametrize("n", [4, 40])
def test_samples_of_one_population_lie_at_zero_on_average_whatever_their_number(n: int):
    distances = [kernel_distance(normal(n, 8, seed=2 * one), normal(n, 8, seed=2 * one + 1)) for one in range(400)]
    error = np.std(distances, ddof=1) / np.sqrt(len(distances))
    assert abs(np.mean(distances)) < 3 * error
    assert np.mean(np.array(distances) < 0) > 0.2  # unbiased, so below 0 as well


def test_order_and_rotation_change_nothing_and_another_population_shows():
    first, second = normal(60, 4), normal(50, 4, seed=1)
    rotation = torch.linalg.qr(normal(4, 4, seed=2)).Q
    distance = kernel_distance(first, second)
    assert kernel_distance(second, first.flip(0)) == pytest.approx(distance)
    assert kernel_distance(first @ rotation, second @ rotation) == pytest.approx(distance)
    assert kernel_distance(first, second + 1) > 10 * abs(distance)


def test_a_single_record_is_refused():
    with pytest.raises(ValueError, match="at least two records"):
        kernel_distance(normal(1, 2), normal(3, 2))
