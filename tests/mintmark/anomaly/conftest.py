"""Small networks, and images that such a generator can make exactly."""

import pytest
import torch

from mintmark.gan.networks import Discriminator, Generator

SHAPE = (8, 8, 1)


@pytest.fixture
def networks() -> tuple[Generator, Discriminator]:
    """Untrained, of three classes; what the generator makes is normal by definition."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=SHAPE, num_classes=3, latent_size=6, width=8)
        discriminator = Discriminator(shape=SHAPE, num_classes=3, width=8)
    return generator, discriminator


@pytest.fixture
def made(networks) -> torch.Tensor:
    """Twelve images of the generator, from latents that no bank holds."""
    latents = torch.randn(12, 6, generator=torch.Generator().manual_seed(99))
    with torch.no_grad():
        return networks[0](latents, torch.arange(12) % 3)


@pytest.fixture
def noise() -> torch.Tensor:
    """Twelve images that no such generator makes."""
    return torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(98)).round() * 2 - 1
