"""Cut and noised by hand: the private gradient of a linear model, its noise, its batches."""

import math

import pytest
import torch
from torch import nn

from mintmark.differential.gradients import Noise, poisson_rows, set_private_gradients


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(weights: list[float]) -> nn.Linear:
    network = nn.Linear(len(weights), 1, bias=False)
    network.weight.data = torch.tensor([weights])
    return network


def set_gradients(network: nn.Module, inputs: torch.Tensor, noise: Noise, *, seed: int = 0) -> None:
    set_private_gradients(
        network, lambda: network(inputs).squeeze(1), num_records=len(inputs), noise=noise, rng=seeded(seed)
    )


def gradient(network: nn.Linear) -> torch.Tensor:
    assert network.weight.grad is not None
    return network.weight.grad


def test_each_record_is_cut_by_itself():
    network = linear([1.0, 1.0])
    inputs = torch.tensor([[3.0, 4.0], [0.3, 0.4]])  # the gradient of w x is x: one of length 5, one of length 0.5
    set_gradients(network, inputs, Noise(0.0, 1.0, 4.0))
    expected = (torch.tensor([0.6, 0.8]) + torch.tensor([0.3, 0.4])) / 4
    assert torch.allclose(gradient(network)[0], expected, atol=1e-5)


def test_all_parameters_of_a_record_are_cut_together():
    first, second = linear([4.0]), linear([3.0])
    network = nn.Sequential(first, second)
    set_gradients(network, torch.tensor([[1.0]]), Noise(0.0, 1.0, 1.0))  # gradients 3 and 4: together of length 5
    assert gradient(first).item() == pytest.approx(0.6, abs=1e-5)
    assert gradient(second).item() == pytest.approx(0.8, abs=1e-5)


def test_noise_has_the_size_that_the_accountant_was_told():
    network = linear([0.0] * 20_000)
    set_gradients(network, torch.zeros(3, 20_000), Noise(2.0, 0.5, 10.0))
    spread = float(gradient(network).std()) * 10.0
    assert spread == pytest.approx(2.0 * 0.5, rel=4 / math.sqrt(2 * 20_000))


def test_an_empty_batch_is_noise_alone():
    network = linear([1.0, 2.0])
    set_gradients(network, torch.zeros(0, 2), Noise(1.0, 1.0, 4.0))
    assert float(gradient(network).abs().min()) > 0.0
    set_gradients(network, torch.zeros(0, 2), Noise(0.0, 1.0, 4.0))
    assert float(gradient(network).abs().max()) == 0.0


def test_noise_comes_from_the_seed_and_from_nowhere_else():
    networks = [linear([1.0, 2.0]) for _ in range(3)]
    before, drawn = torch.get_rng_state(), []
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        set_gradients(network, torch.ones(2, 2), Noise(1.0, 1.0, 2.0), seed=seed)
        drawn.append(gradient(network))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_what_was_there_before_is_overwritten_and_what_comes_after_stays():
    network = linear([1.0, 1.0])
    network.weight.grad = torch.full((1, 2), 100.0)
    set_gradients(network, torch.tensor([[0.3, 0.4]]), Noise(0.0, 1.0, 1.0))
    assert torch.allclose(gradient(network), torch.tensor([[0.3, 0.4]]), atol=1e-5)
    network(torch.tensor([[1.0, 2.0]])).sum().backward()
    assert torch.allclose(gradient(network), torch.tensor([[1.3, 2.4]]), atol=1e-5)


def test_the_network_is_left_without_hooks_and_gradients_of_single_records():
    network = linear([1.0, 1.0])
    for _ in range(2):
        set_gradients(network, torch.ones(1, 2), Noise(1.0, 1.0, 1.0))
    assert not network._forward_hooks
    assert not network._backward_hooks
    assert getattr(network.weight, "grad_sample", None) is None


def test_a_layer_that_mixes_records_is_refused():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    with pytest.raises(NotImplementedError, match="BatchNorm1d"):
        set_gradients(network, torch.ones(3, 2), Noise(1.0, 1.0, 1.0))


def test_batches_are_poisson():
    rng = seeded()
    batches = [poisson_rows(200, sample_rate=0.05, rng=rng) for _ in range(2000)]
    sizes = torch.tensor([len(rows) for rows in batches], dtype=torch.float64)
    assert float(sizes.mean()) == pytest.approx(10.0, abs=4 * math.sqrt(9.5 / 2000))
    assert float(sizes.var()) == pytest.approx(9.5, rel=0.15)
    seen = torch.bincount(torch.cat(batches), minlength=200).double() / 2000
    assert float((seen - 0.05).abs().max()) < 5 * math.sqrt(0.05 * 0.95 / 2000)
    assert all(len(rows.unique()) == len(rows) for rows in batches)


def test_a_rate_of_one_takes_every_record_and_a_small_one_at_times_none():
    assert poisson_rows(7, sample_rate=1.0, rng=seeded()).tolist() == list(range(7))
    rng = seeded()
    assert min(len(poisson_rows(5, sample_rate=0.1, rng=rng)) for _ in range(50)) == 0
