"""The bound against PyTorch's distributions, and the deviations against the noise that was put in."""

import math

import torch
from torch.distributions import Normal, kl_divergence

from mintmark.series.reconstruction import Recipe
from mintmark.series.vae import Vae, divergence, train

RECIPE = Recipe(steps=500, batch_size=64, learning_rate=1.0e-2, width=16, code=1)


def test_the_divergence_is_that_of_two_normals():
    rng = torch.Generator().manual_seed(0)
    mean, log_deviation = torch.randn(5, 3, generator=rng), torch.randn(5, 3, generator=rng)
    expected = kl_divergence(Normal(mean, log_deviation.exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(divergence(mean, log_deviation), expected)


def test_the_loss_is_the_negative_evidence_lower_bound_less_a_constant():
    rng = torch.Generator().manual_seed(0)
    network, windows = Vae(4, 2, RECIPE), torch.randn(6, 4, 2, generator=rng)
    noise = torch.randn(6, 1, generator=rng)
    mean, log_deviation = network.posterior(windows)
    decoded = network.decode(mean + log_deviation.exp() * noise)
    fit = Normal(decoded, network.log_deviation.exp()).log_prob(windows).sum(dim=(1, 2))
    bound = (fit - divergence(mean, log_deviation)).mean()
    torch.testing.assert_close(network.loss(windows, noise), -bound - 8 * 0.5 * math.log(2 * math.pi))


def test_deviations_are_learned_row_by_row():
    rng = torch.Generator().manual_seed(0)
    noise = torch.tensor([0.2, 1.0, 0.2, 1.0])[None, :, None]
    windows = torch.randn(1000, 4, 1, generator=rng) * noise
    network = train(windows, recipe=RECIPE, seed=0)
    quiet, loud = network.log_deviation.exp().flatten()[::2], network.log_deviation.exp().flatten()[1::2]
    assert ((quiet > 0.1) & (quiet < 0.3)).all()
    assert (loud > 2 * quiet).all()
    assert 0.5 < network.residuals(windows).square().mean() < 1.2
