"""Small networks, images that such a generator can make exactly, and real digits of one class."""

from typing import NamedTuple

import pytest
import torch

from mintmark.anomaly.detector import Detector
from mintmark.data.images import ImageSet, to_unit
from mintmark.gan.networks import Discriminator, Generator
from mintmark.intervals import auc

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


class OneClass(NamedTuple):
    """Real digits of one class to fit on, and further ones of it and of all others to judge."""

    normals: torch.Tensor
    held_out: torch.Tensor
    anomalies: torch.Tensor

    def auroc(self, detector: Detector) -> float:
        """Of the anomalies against the held-out normals."""
        return auc(detector.score(self.anomalies).double().numpy(), detector.score(self.held_out).double().numpy())


@pytest.fixture(scope="session")
def zeros(digits: ImageSet) -> OneClass:
    """Zeros, of which 120 are fitted on."""
    images = to_unit(digits.images)
    of_class = torch.from_numpy(digits.codes == 0)
    return OneClass(images[of_class][:120], images[of_class][120:], images[~of_class][:300])
