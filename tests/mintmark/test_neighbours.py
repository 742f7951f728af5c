"""The nearest-neighbour pass against SciPy's k-d tree, and its promises: exact, blocked, never oneself."""

import pytest
import torch
from scipy.spatial import cKDTree

from mintmark.neighbours import nearest


@pytest.mark.parametrize("num_reference", [90, 1003])  # few enough to select among, and in groups with a rest
@pytest.mark.parametrize("block_elements", [1, 500, 1 << 20])
def test_agrees_with_a_k_d_tree_whatever_the_block(block_elements: int, num_reference: int):
    generator = torch.Generator().manual_seed(0)
    queries, reference = torch.rand(70, 5, generator=generator), torch.rand(num_reference, 5, generator=generator)
    found = nearest(queries, reference, k=3, block_elements=block_elements)
    distances, indices = cKDTree(reference.numpy()).query(queries.numpy(), k=3)
    torch.testing.assert_close(found.distances, torch.from_numpy(distances).float())
    assert found.indices.tolist() == indices.tolist()


def test_a_copy_lies_at_exactly_zero_far_from_the_origin():
    points = torch.rand(50, 64, generator=torch.Generator().manual_seed(1)) + 100.0
    found = nearest(points, points)
    assert found.distances.max() == 0.0
    assert found.indices[:, 0].tolist() == list(range(50))


def test_no_point_is_its_own_neighbour_in_the_same_set():
    points = torch.tensor([[0.0], [1.0], [3.0]])
    found = nearest(points, points, same_set=True)
    assert found.distances[:, 0].tolist() == [1.0, 1.0, 2.0]
    assert found.indices[:, 0].tolist() == [1, 0, 1]


def test_neighbours_that_share_a_group_of_columns_are_all_found():
    reference = torch.arange(1003.0)[:, None]
    near = torch.arange(5, 1003, 62)[:12]  # sixteen groups are 62 columns apart: all in one
    reference[near] = -1.0 - torch.arange(12.0)[:, None] / 100
    found = nearest(torch.tensor([[-1.0]]), reference, k=12)
    assert found.indices[0].tolist() == near.tolist()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_point_that_is_nowhere_is_an_error(value: float):
    points = torch.tensor([[0.0], [value]])
    with pytest.raises(ValueError, match="must be finite"):
        nearest(points, torch.zeros(2, 1))
    with pytest.raises(ValueError, match="must be finite"):
        nearest(torch.zeros(2, 1), points)


def test_more_neighbours_than_points_is_an_error():
    points = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="k must be between 1 and the 2 reference points, got 3"):
        nearest(points, points, k=3, same_set=True)


def test_no_query_gives_no_neighbour():
    assert nearest(torch.zeros(0, 2), torch.ones(4, 2), k=2).distances.shape == (0, 2)


def test_equal_distances_are_equal_to_the_last_bit_wherever_the_points_lie():
    points = torch.tensor([[0.1, 0.0], [1.1, 0.0], [0.1, 1.0], [7.3, 5.9]], dtype=torch.float64)
    by_pairs = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    assert nearest(points, points, same_set=True).distances[:, 0].tolist() == by_pairs.min(dim=1).values.tolist()
