"""The greedy coreset: a choice counted by hand, and its bound against the best choice of all."""

from itertools import combinations

import pytest
import torch

from mintmark.anomaly.coreset import greedy_coreset
from mintmark.errors import BadInput


def radius(points: torch.Tensor, kept: torch.Tensor) -> float:
    """How far a point lies from the nearest kept one, at most."""
    return torch.cdist(points, points[kept]).min(dim=1).values.max().item()


@pytest.mark.parametrize("seed", range(5))
def test_each_next_point_is_the_farthest_from_those_before(seed: int):
    points = torch.tensor([0.0, 1.0, 2.0, 9.0, 30.0])[:, None]
    first, *rest = greedy_coreset(points, size=4, rng=torch.Generator().manual_seed(seed)).tolist()
    orders = {0: [4, 3, 2], 1: [4, 3, 0], 2: [4, 3, 0], 3: [4, 0, 2], 4: [0, 3, 2]}
    assert rest == orders[first]


@pytest.mark.parametrize("seed", range(4))
def test_no_choice_leaves_less_than_half_as_far(seed: int):
    rng = torch.Generator().manual_seed(seed)
    points = torch.randn(12, 2, generator=rng)
    best = min(radius(points, torch.tensor(rows)) for rows in combinations(range(12), 4))
    assert best <= radius(points, greedy_coreset(points, size=4, rng=rng)) <= 2 * best + 1e-5


def test_all_points_are_kept_once_even_where_some_are_the_same():
    points = torch.zeros(6, 3)
    assert sorted(greedy_coreset(points, size=6, rng=torch.Generator().manual_seed(0)).tolist()) == list(range(6))


@pytest.mark.parametrize("size", [0, 4])
def test_more_points_than_there_are_are_refused(size: int):
    with pytest.raises(BadInput, match=f"size: expected 1 to 3, the number of points, got {size}"):
        greedy_coreset(torch.zeros(3, 2), size=size, rng=torch.Generator())
