"""f-AnoGAN's encoder: that it inverts a generator, names its classes, and scores by the paper's formula."""

import pytest
import torch

from mintmark.anomaly.descent import Training
from mintmark.anomaly.fanogan import FAnoGan, fit
from mintmark.errors import BadInput
from mintmark.gan.networks import Discriminator, Generator

TRAINING = Training(steps=120, batch_size=32, learning_rate=5e-3, weight_decay=0.0)
BRIEF = Training(steps=2, batch_size=32, learning_rate=5e-3, weight_decay=0.0)


def drawn(generator: Generator, num: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of the generator and their classes."""
    codes = torch.arange(num) % generator.num_classes
    latents = torch.randn(num, generator.latent_size, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return generator(latents, codes), codes


def fitted(
    networks: tuple[Generator, Discriminator], *, seed: int = 0, feature_weight: float = 1.0, **changes
) -> FAnoGan:
    generator, discriminator = networks
    settings = {"width": 64, "training": BRIEF} | changes
    normals = drawn(generator, 256, seed=1)[0]
    return fit(
        normals, generator=generator, discriminator=discriminator, feature_weight=feature_weight, seed=seed, **settings
    )


@pytest.fixture(scope="module")
def trained() -> FAnoGan:
    """Long enough to invert a generator of three classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(8, 8, 1), num_classes=3, latent_size=6, width=8)
        discriminator = Discriminator(shape=(8, 8, 1), num_classes=3, width=8)
    return fitted((generator, discriminator), training=TRAINING)


def test_what_the_generator_cannot_make_scores_higher_than_what_it_can(trained, made, noise):
    assert trained.score(noise).min() > 2 * trained.score(made).max()


def test_the_training_lowers_the_loss_of_fresh_images_of_the_generator(trained, networks, made):
    assert trained.score(made).mean() < 0.8 * fitted(networks).score(made).mean()


def test_the_head_names_the_classes_that_no_label_taught(trained):
    images, codes = drawn(trained.generator, 90, seed=2)
    named = trained.encode(images).class_logits.argmax(dim=1)
    assert (named == codes).float().mean() > 0.6  # a third by chance


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_the_score_is_the_paper_s_sum_of_two_mean_squares(networks, made, weight: float):
    detector = fitted(networks, feature_weight=weight)
    image = made[:1]
    class_logits, latents = detector.encode(image)
    code = int(class_logits[0].argmax())
    expected = networks[0](latents[:, code], torch.tensor([code]))
    torch.testing.assert_close(detector.explain(image).reconstruction, expected)
    in_pixels = torch.linalg.vector_norm(image - expected).square() / 64
    features = detector.discriminator.features(image) - detector.discriminator.features(expected)
    in_features = torch.linalg.vector_norm(features).square() / features.numel()
    torch.testing.assert_close(detector.score(image)[0], in_pixels + weight * in_features)


def test_one_class_needs_no_name(made):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(8, 8, 1), num_classes=1, latent_size=6, width=8)
        discriminator = Discriminator(shape=(8, 8, 1), num_classes=1, width=8)
    detector = fitted((generator, discriminator))
    fresh, _ = drawn(generator, 12, seed=3)
    assert detector.score(fresh).max() < detector.score(-fresh).min()
    assert detector.explain(made).reconstruction.shape == made.shape


def test_a_score_does_not_depend_on_what_is_scored_beside_it(networks, made):
    detector = fitted(networks)
    together = detector.score(made)
    apart = torch.cat([detector.score(some) for some in made.split([1, 4, 7])])
    torch.testing.assert_close(apart, together, rtol=1e-4, atol=1e-6)
    assert detector.score(made[:0]).shape == (0,)


def test_the_same_seed_gives_the_same_scores_and_the_networks_stay(networks, made):
    before = [{name: tensor.clone() for name, tensor in one.state_dict().items()} for one in networks]
    scores = [fitted(networks, seed=seed).score(made) for seed in (0, 0, 1)]
    assert torch.equal(scores[0], scores[1])
    assert not torch.equal(scores[0], scores[2])
    for network, weights in zip(networks, before, strict=True):
        assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
        assert all(not parameter.requires_grad for parameter in network.parameters())


def test_bad_input_is_refused(networks, made):
    generator, discriminator = networks
    settings = {"width": 16, "training": BRIEF, "seed": 0}
    with pytest.raises(BadInput, match=r"\(8, 8, 1\), the generator's, got \(9, 8, 1\)"):
        fit(torch.zeros(2, 1, 9, 8), generator=generator, discriminator=discriminator, feature_weight=1.0, **settings)
    with pytest.raises(BadInput, match="feature_weight: expected 0 or more, got -1"):
        fit(made, generator=generator, discriminator=discriminator, feature_weight=-1.0, **settings)
    larger = Discriminator(shape=(16, 16, 1), num_classes=3, width=4)
    with pytest.raises(BadInput, match=r"the generator's shape \(8, 8, 1\), got \(16, 16, 1\)"):
        fit(made, generator=generator, discriminator=larger, feature_weight=1.0, **settings)
    with pytest.raises(BadInput, match=r"\(8, 8, 1\), the generator's, got \(16, 8, 3\)"):
        fitted(networks).score(torch.zeros(2, 3, 16, 8))
