"""Prices by hand, and restarts that copy the optimiser's moments instead of sharing them."""

import copy

import pytest
import torch

from mintmark.cluster.balance import Prices, restart_small
from mintmark.cluster.dti import DTI, Form


@pytest.fixture
def trained():
    """Two starts of three clusters, after one step of Adam on every parameter."""
    rng = torch.Generator().manual_seed(0)
    form = Form(shape=(4, 4, 1), num_clusters=3, width=2, num_features=4, hidden=3)
    network = DTI(form, prototypes=torch.rand(2, 3, 1, 4, 4, generator=rng), rng=rng)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=rng)
    optimiser.step()
    return network, optimiser


def restart(network, optimiser, sizes, *, noise=0.0):
    rng = torch.Generator().manual_seed(0)
    return restart_small(network, optimiser, torch.tensor(sizes), below=0.2, noise=noise, rng=rng)


def test_price_rises_by_the_excess_over_the_mean_size_in_units_of_the_loss():
    prices = Prices(starts=2, num_clusters=2, num_priced=1, rate=0.5, device=torch.device("cpu"))
    prices.rise(torch.tensor([[3, 1], [4, 0]]), torch.tensor([0.1, 0.1]))
    assert prices.values.tolist() == [pytest.approx([0.025, -0.025]), [0.0, 0.0]]
    prices.lift()
    assert prices.values.abs().sum() == 0


def test_small_cluster_becomes_a_copy_of_the_largest_with_its_moments(trained):
    network, optimiser = trained
    assert restart(network, optimiser, [[50, 1, 49], [30, 30, 30]]) == 1
    for parameter in network.per_cluster():
        for slot in (parameter, optimiser.state[parameter]["exp_avg"], optimiser.state[parameter]["exp_avg_sq"]):
            assert torch.equal(slot[0, 1], slot[0, 0])
            assert not torch.equal(slot[1, 1], slot[1, 0])


def test_the_largest_learns_on_as_if_none_had_been_made_of_it(trained):
    network, optimiser = trained
    alone = copy.deepcopy(network)
    control = torch.optim.Adam(alone.parameters(), lr=0.1)
    control.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    restart(network, optimiser, [[50, 1, 49], [30, 30, 30]], noise=0.1)
    for mine, theirs in zip(network.parameters(), alone.parameters(), strict=True):
        theirs.grad = torch.ones_like(theirs)
        mine.grad = torch.ones_like(mine)
    for parameter in network.per_cluster():
        parameter.grad[0, 1] = -50.0  # the copy is pulled elsewhere
    for _ in range(3):
        optimiser.step()
        control.step()
    for mine, theirs in zip(network.per_cluster(), alone.per_cluster(), strict=True):
        assert torch.equal(mine[0, 0], theirs[0, 0])
        assert not torch.equal(mine[0, 1], mine[0, 0])


def test_noise_parts_the_copy_from_the_largest(trained):
    network, optimiser = trained
    restart(network, optimiser, [[50, 1, 49], [30, 30, 30]], noise=0.01)
    difference = (network.prototypes[0, 1] - network.prototypes[0, 0]).abs().mean().item()
    assert 0.001 < difference < 0.05


def test_two_small_clusters_are_restarted_from_different_ones_where_the_largest_halves(trained):
    network, optimiser = trained
    form = Form(shape=(4, 4, 1), num_clusters=4, width=2, num_features=4, hidden=3)
    rng = torch.Generator().manual_seed(0)
    network = DTI(form, prototypes=torch.rand(1, 4, 1, 4, 4, generator=rng), rng=rng)
    optimiser = torch.optim.Adam(network.parameters())
    assert restart(network, optimiser, [[60, 40, 0, 0]]) == 2
    assert torch.equal(network.prototypes[0, 2], network.prototypes[0, 0])
    assert torch.equal(network.prototypes[0, 3], network.prototypes[0, 1])


def test_large_enough_clusters_are_left_alone(trained):
    network, optimiser = trained
    before = [parameter.clone() for parameter in network.parameters()]
    assert restart(network, optimiser, [[10, 45, 45], [30, 30, 30]]) == 0
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
