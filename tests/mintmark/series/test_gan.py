"""The adversarial autoencoder's losses by hand, and what the discriminator changes."""

import math

import pytest
import torch

from mintmark.series import autoencoder, gan
from mintmark.series.reconstruction import Recipe

RECIPE = Recipe(steps=60, batch_size=32, learning_rate=5.0e-3, width=16, code=2)


def noise(num: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(num, 6, 2, generator=torch.Generator().manual_seed(seed))


def test_the_discriminator_s_loss_by_hand():
    """Undecided: log 2 twice. Sure and right: nothing; sure and wrong: its logits."""
    assert float(gan.discriminator_loss(torch.zeros(3), torch.zeros(3))) == pytest.approx(2 * math.log(2))
    assert float(gan.discriminator_loss(torch.tensor([30.0]), torch.tensor([-30.0]))) == pytest.approx(0.0, abs=1e-9)
    assert float(gan.discriminator_loss(torch.tensor([-30.0]), torch.tensor([20.0]))) == pytest.approx(50.0, abs=1e-6)


def test_the_generator_s_loss_weighs_values_and_features():
    discriminator, windows, rebuilt = gan.Discriminator(6, 2, RECIPE), noise(5), noise(5, seed=1)
    values = (windows - rebuilt).square().mean()
    features = (discriminator.features(windows) - discriminator.features(rebuilt)).square().mean()
    for weight in (0.0, 2.5):
        loss = gan.generator_loss(windows, rebuilt, discriminator, feature_weight=weight)
        torch.testing.assert_close(loss, values + weight * features)


def test_the_discriminator_changes_what_is_learned():
    alone, judged = (gan.train(noise(200), recipe=RECIPE, feature_weight=weight, seed=0) for weight in (0.0, 1.0))
    assert not torch.allclose(alone.reconstruct(noise(5)), judged.reconstruct(noise(5)))


def test_it_rebuilds_better_than_a_network_that_learned_nothing():
    trained = gan.train(noise(200), recipe=RECIPE, feature_weight=1.0, seed=0)
    untrained = autoencoder.Autoencoder(6, 2, RECIPE)
    assert trained.residuals(noise(200)).square().mean() < 0.95 * untrained.residuals(noise(200)).square().mean()
