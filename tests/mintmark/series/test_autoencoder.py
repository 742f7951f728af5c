"""The autoencoder learns what passes through its code, and nothing else."""

import torch

from mintmark.series.autoencoder import train
from mintmark.series.reconstruction import Recipe

RECIPE = Recipe(steps=600, batch_size=32, learning_rate=1.0e-2, width=16, code=1)


def ramps(num: int) -> torch.Tensor:
    """One number makes a whole window."""
    return torch.linspace(-1.0, 1.0, num)[:, None, None] * torch.linspace(0.5, 1.5, 6)[None, :, None]


def test_windows_of_one_number_pass_through_a_code_of_one_and_others_do_not():
    network = train(ramps(64), recipe=RECIPE, seed=0)
    assert network.residuals(ramps(50)).mean() < 0.1
    assert network.residuals(ramps(50).flip(1) * torch.tensor([1.0, -1.0] * 3)[:, None]).mean() > 0.3


def test_one_seed_makes_one_network():
    first, second, other = (train(ramps(8), recipe=RECIPE, seed=seed).reconstruct(ramps(4)) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
