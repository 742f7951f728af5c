"""Neighbour graphs by hand: weights' sums, paths, and eigenvectors whose closed form is known."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from mintmark.cluster.neighbour_graph import _weights, neighbour_graph, places, smoothest
from mintmark.errors import BadInput


def line(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_the_nearest_has_weight_one_and_all_have_their_sum():
    distances = torch.rand(20, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64).sort(dim=1).values
    for scale in (1e-6, 1.0, 1e6):
        weights = _weights(distances * scale)
        assert torch.equal(weights[:, 0], torch.ones(20, dtype=torch.float64))
        assert (weights.diff(dim=1) <= 0).all()
        assert torch.allclose(weights.sum(dim=1), torch.full((20,), 3.0, dtype=torch.float64))


def test_equal_distances_have_equal_weights():
    assert torch.equal(_weights(torch.zeros(1, 4, dtype=torch.float64)), torch.ones(1, 4, dtype=torch.float64))
    assert torch.equal(_weights(torch.full((1, 4), 3.0, dtype=torch.float64)), torch.ones(1, 4, dtype=torch.float64))


def test_edges_of_both_ways_are_joined_as_independent_chances():
    graph = neighbour_graph(line(0.0, 1.0, 3.0, 7.0), num_neighbours=3).toarray()
    gaps = torch.tensor([[1.0, 3.0, 7.0], [1.0, 2.0, 6.0]], dtype=torch.float64)
    near, far = _weights(gaps)[:, 1].tolist()
    assert graph[0, 1] == 1.0
    assert graph[0, 2] == pytest.approx(near + _third_to_first() - near * _third_to_first())
    assert graph[1, 2] == pytest.approx(1.0)  # the third's nearest is the second
    assert far < 1
    assert np.array_equal(graph, graph.T)
    assert not graph.diagonal().any()


def _third_to_first():
    return float(_weights(torch.tensor([[2.0, 3.0, 4.0]], dtype=torch.float64))[0, 1])


@pytest.mark.parametrize("seed", range(5))
def test_two_groups_that_share_no_edge_have_two_places(seed):
    group = torch.linspace(0, 1, 100)
    graph = neighbour_graph(line(*group, *(group + 50)), num_neighbours=5)
    rows = places(smoothest(graph, num_dimensions=2, seed=seed))
    alike = rows @ rows.T
    assert np.allclose(alike[:100, :100], 1)
    assert np.allclose(alike[100:, 100:], 1)
    assert np.allclose(alike[:100, 100:], 0)


def test_a_ring_is_smoothest_along_its_first_waves():
    num = 12
    steps = np.arange(num)
    ring = np.zeros((num, num))
    ring[steps, (steps + 1) % num] = ring[(steps + 1) % num, steps] = 1.0
    vectors = smoothest(csr_array(ring), num_dimensions=3, seed=0)
    assert np.allclose(np.abs(vectors[:, 0]), 1 / math.sqrt(num), atol=1e-4)
    waves = np.stack([np.cos(2 * math.pi * steps / num), np.sin(2 * math.pi * steps / num)]) * math.sqrt(2 / num)
    assert np.allclose(np.linalg.norm(waves @ vectors[:, 1:], axis=1), 1, atol=1e-4)


def test_places_have_length_one_but_for_no_direction():
    assert places(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]


@pytest.mark.parametrize("num_neighbours", [1, 4])
def test_too_few_or_too_many_neighbours_are_refused(num_neighbours):
    with pytest.raises(BadInput, match="num_neighbours: expected 2 to 3"):
        neighbour_graph(line(0.0, 1.0, 2.0, 3.0), num_neighbours=num_neighbours)


@pytest.mark.parametrize("num_dimensions", [0, 4])
def test_too_few_or_too_many_dimensions_are_refused(num_dimensions):
    with pytest.raises(BadInput, match="num_dimensions: expected 1 to 3"):
        smoothest(csr_array(np.ones((4, 4))), num_dimensions=num_dimensions, seed=0)
