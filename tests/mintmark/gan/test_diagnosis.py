import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from mintmark.gan import diagnosis
from mintmark.gan.networks import Discriminator


def points(*values):
    """One-pixel images."""
    return torch.tensor(values, dtype=torch.float32)[:, None, None, None]


def test_coverage_by_hand():
    real = points(0.0, 1.0, 3.0)  # the furthest real neighbours lie 3, 2 and 3 away
    assert diagnosis.coverage(real, points(-2.5)).value == pytest.approx(1 / 3)
    assert diagnosis.coverage(real, points(-2.0, 5.0)).value == pytest.approx(2 / 3)
    assert diagnosis.coverage(real, points(1.0)).value == 1.0
    assert diagnosis.coverage(real, points(100.0)).value == 0.0


def test_coverage_agrees_with_a_plain_second_implementation():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(60, 2, 3, 1)), rng.normal(size=(50, 2, 3, 1)) * 0.4
    flat_real, flat_fake = real.reshape(60, -1), fake.reshape(50, -1)
    radii = np.sort(cdist(flat_real, flat_real), axis=1)[:, 5]  # column 0 is the point itself
    expected = (cdist(flat_real, flat_fake).min(axis=1) <= radii).mean()
    found = diagnosis.coverage(torch.from_numpy(real), torch.from_numpy(fake))
    assert found.value == pytest.approx(expected)
    assert 0.05 < expected < 0.95
    assert found.low < found.value < found.high


def test_a_collapsed_generator_covers_little():
    rng = torch.Generator().manual_seed(0)
    real, other = torch.randn((200, 1, 2, 2), generator=rng), torch.randn((200, 1, 2, 2), generator=rng)
    assert diagnosis.coverage(real, other).value > 0.9
    assert diagnosis.coverage(real, torch.zeros((200, 1, 2, 2))).value < 0.3


def test_memory_is_half_without_and_one_with_a_perfect_memory():
    rng = np.random.default_rng(0)
    same = diagnosis.memory(rng.normal(size=300), rng.normal(size=300), rng=rng)
    assert same.low < 0.5 < same.high
    learnt = diagnosis.memory(np.arange(10.0) + 100, np.arange(10.0), rng=rng)
    assert learnt.value == learnt.high == 1.0
    assert learnt.low > 0.6


def test_logits_are_the_discriminators_own_over_many_batches(monkeypatch):
    torch.manual_seed(0)
    discriminator = Discriminator(shape=(8, 8, 1), num_classes=2, width=2)
    images, codes = torch.rand((7, 1, 8, 8)), torch.tensor([0, 1, 0, 1, 0, 1, 0])
    expected = discriminator(images, codes).detach().double().numpy()
    monkeypatch.setattr(diagnosis, "BATCH_SIZE", 3)
    np.testing.assert_allclose(diagnosis.logits(discriminator, images, codes), expected, atol=1e-6)
