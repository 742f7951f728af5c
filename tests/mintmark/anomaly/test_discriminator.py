"""The discriminator's own word, against its logits class by class."""

import pytest
import torch

from mintmark.anomaly.discriminator import DiscriminatorScore, fit
from mintmark.errors import BadInput
from mintmark.gan.networks import Discriminator


@pytest.fixture
def detector(networks, made) -> DiscriminatorScore:
    generator, discriminator = networks
    return fit(made, generator=generator, discriminator=discriminator)


def test_the_score_is_that_of_the_likeliest_class(detector, networks, noise):
    logits = torch.stack([networks[1](noise, torch.full((len(noise),), code)) for code in range(3)])
    expected = -logits.max(dim=0).values.sigmoid().log()
    torch.testing.assert_close(detector.score(noise), expected)
    assert detector.score(noise).min() > 0


def test_an_image_is_explained_by_the_normal_whose_features_are_nearest(detector, networks, made, noise):
    nearest = torch.cdist(networks[1].features(noise), networks[1].features(made)).argmin(dim=1)
    explanation = detector.explain(noise)
    assert torch.equal(explanation.reconstruction, made[nearest])
    torch.testing.assert_close(explanation.residual, (noise - made[nearest]).abs()[:, 0])


def test_the_weights_are_frozen_and_no_image_gives_no_score(detector):
    assert not any(one.requires_grad for one in detector.discriminator.parameters())
    assert detector.score(torch.zeros(0, 1, 8, 8)).shape == (0,)


def test_networks_and_images_of_another_shape_are_refused(detector, networks, made):
    for ask in (detector.score, detector.explain):
        with pytest.raises(BadInput, match=r"\(8, 8, 1\), the discriminator's, got \(9, 8, 1\)"):
            ask(torch.zeros(2, 1, 9, 8))
    larger = Discriminator(shape=(16, 16, 1), num_classes=3, width=4)
    with pytest.raises(BadInput, match=r"the generator's shape \(8, 8, 1\), got \(16, 16, 1\)"):
        fit(made, generator=networks[0], discriminator=larger)
