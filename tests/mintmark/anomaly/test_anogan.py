"""The latent search: that it descends, finds what the generator can make, and treats every image by itself."""

import dataclasses

import pytest
import torch

from mintmark.anomaly.anogan import AnoGan, Search, fit
from mintmark.errors import BadInput
from mintmark.gan.networks import Discriminator, Generator

SEARCH = Search(
    num_steps=40, learning_rate=0.1, num_starts=2, bank_per_class=8, feature_weight=0.1, norm=1.0, batch_size=24
)


def detector(networks: tuple[Generator, Discriminator], **changes) -> AnoGan:
    generator, discriminator = networks
    search = dataclasses.replace(SEARCH, **changes)
    return fit(torch.zeros(1, 1, 8, 8), generator=generator, discriminator=discriminator, search=search, seed=0)


def test_the_search_lowers_every_loss_below_that_of_its_start(networks, made):
    searched = detector(networks)
    features = searched.discriminator.features(made)
    start = 0.9 * torch.cdist(made.flatten(1), searched.bank.images, p=1)
    start = (start + 0.1 * torch.cdist(features, searched.bank.features, p=1)).min(dim=1).values
    found = searched.find(made).losses
    assert (found < start).all()
    assert found.mean() < 0.5 * start.mean()


def test_what_the_generator_cannot_make_scores_higher_than_what_it_can(networks, made, noise):
    searched = detector(networks)
    assert searched.score(noise).min() > 2 * searched.score(made).max()


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_the_score_is_the_paper_s_loss_of_the_image_found(networks, made, weight: float):
    searched = detector(networks, feature_weight=weight, num_steps=3)
    found = searched.find(made)
    residual = (made - found.images).abs().sum(dim=(1, 2, 3))
    mismatch = (searched.discriminator.features(made) - searched.discriminator.features(found.images)).abs().sum(dim=1)
    torch.testing.assert_close(searched.score(made), (1 - weight) * residual + weight * mismatch)


def test_the_norm_is_that_of_both_distances_in_the_starts_and_in_the_score(networks, made):
    searched = detector(networks, norm=2.0, num_steps=3)
    features = searched.discriminator.features(made)
    distances = 0.9 * torch.cdist(made.flatten(1), searched.bank.images)
    distances += 0.1 * torch.cdist(features, searched.bank.features)
    assert torch.equal(
        searched._starts(made, features).sort().values, distances.topk(2, largest=False).indices.sort().values
    )
    found = searched.find(made)
    residual = (made - found.images).square().sum(dim=(1, 2, 3)).sqrt()
    mismatch = (features - searched.discriminator.features(found.images)).square().sum(dim=1).sqrt()
    torch.testing.assert_close(searched.score(made), 0.9 * residual + 0.1 * mismatch)


def test_an_image_of_the_bank_is_found_with_its_class_and_no_loss(networks):
    searched = detector(networks, num_steps=1)
    found = searched.find(searched.bank.images.unflatten(1, (1, 8, 8)))
    torch.testing.assert_close(found.losses, torch.zeros(24), atol=1e-3, rtol=0)
    assert found.codes.tolist() == searched.bank.codes.tolist() == [0, 1, 2] * 8


@pytest.mark.parametrize("weight", [0.1, 1.0])
def test_each_descent_is_adam_s_on_that_image_alone(networks, made, weight: float):
    """The reference: for each image and each start one search by itself, and the lowest loss of both."""
    searched = detector(networks, num_steps=10, feature_weight=weight)
    features = searched.discriminator.features(made)
    distances = (1 - weight) * torch.cdist(made.flatten(1), searched.bank.images, p=1)
    distances += weight * torch.cdist(features, searched.bank.features, p=1)
    expected = torch.full((len(made),), torch.inf)
    for image, starts in enumerate(distances.argsort(dim=1)[:, :2].tolist()):
        for start in starts:
            latent = torch.nn.Parameter(searched.bank.latents[start][None].clone())
            adam = torch.optim.Adam([latent], lr=0.1)
            for _ in range(11):
                generated = searched.generator(latent, searched.bank.codes[start][None])
                mismatch = (features[image] - searched.discriminator.features(generated)).abs().sum()
                loss = (1 - weight) * (made[image] - generated).abs().sum() + weight * mismatch
                expected[image] = min(expected[image], loss.detach())
                adam.zero_grad()
                loss.backward()
                adam.step()
    torch.testing.assert_close(searched.score(made), expected, rtol=1e-3, atol=1e-3)


def test_a_score_does_not_depend_on_what_is_scored_beside_it():
    """Wide networks and a long descent, in which another order of summation would show as percents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(8, 8, 1), num_classes=3, latent_size=64, width=32)
        discriminator = Discriminator(shape=(8, 8, 1), num_classes=3, width=16)
    latents = torch.randn(20, 64, generator=torch.Generator().manual_seed(5))
    images = generator(latents, torch.arange(20) % 3).detach()
    searched = detector((generator, discriminator), num_steps=60, learning_rate=0.3)
    together = searched.score(images)
    assert together.unique().numel() == len(images)
    for parts in (images.split(1)[:4], images.split(7), images.split([3, 17])):
        apart = torch.cat([searched.score(some) for some in parts])
        torch.testing.assert_close(apart, together[: len(apart)], rtol=1e-3, atol=0)
    torch.testing.assert_close(searched.score(images.flip(0)).flip(0), together, rtol=1e-3, atol=0)


def test_the_same_seed_gives_the_same_scores_and_another_one_another_bank(networks, made):
    generator, discriminator = networks
    again = {
        seed: fit(made, generator=generator, discriminator=discriminator, search=SEARCH, seed=seed) for seed in (0, 1)
    }
    first = detector(networks)
    assert torch.equal(first.score(made), again[0].score(made))
    assert torch.equal(first.bank.latents, again[0].bank.latents)
    assert not torch.equal(first.bank.latents, again[1].bank.latents)


def test_the_networks_are_frozen_and_their_weights_stay(networks, made):
    before = [{name: tensor.clone() for name, tensor in one.state_dict().items()} for one in networks]
    detector(networks).score(made)
    for network, weights in zip(networks, before, strict=True):
        assert not network.training
        assert all(not parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
        assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("num_images", "batch_size", "num_searched"),
    [(12, 24, 16), (32, 24, 32), (40, 64, 48), (52, 64, 52)],  # blocks of 16 or 32, filled up to 16
)
def test_the_stated_cost_is_the_number_of_images_generated(
    networks, num_images: int, batch_size: int, num_searched: int
):
    generated = []
    networks[0].register_forward_hook(lambda _network, _inputs, images: generated.append(len(images)))
    searched = detector(networks, num_steps=4, batch_size=batch_size)
    assert searched.score(torch.zeros(num_images, 1, 8, 8)).shape == (num_images,)
    assert sum(generated) == searched.num_generated(num_images) == 24 + num_searched * 2 * 5


def test_the_explanation_is_the_image_found_and_the_distance_from_it(networks, made):
    searched = detector(networks, num_steps=2)
    explanation = searched.explain(made)
    assert torch.equal(explanation.reconstruction, searched.find(made).images)
    torch.testing.assert_close(explanation.residual, (made - explanation.reconstruction).abs()[:, 0])


def test_no_image_gives_no_score(networks):
    assert detector(networks).score(torch.zeros(0, 1, 8, 8)).shape == (0,)


def test_images_of_another_shape_are_refused_with_both_shapes(networks):
    with pytest.raises(BadInput, match=r"\(8, 8, 1\), the generator's, got \(16, 8, 3\)"):
        detector(networks).score(torch.zeros(2, 3, 16, 8))
    with pytest.raises(BadInput, match=r"\(8, 8, 1\), the generator's, got \(9, 8, 1\)"):
        fit(torch.zeros(2, 1, 9, 8), generator=networks[0], discriminator=networks[1], search=SEARCH, seed=0)


def test_networks_that_disagree_are_refused(networks):
    larger = Discriminator(shape=(16, 16, 1), num_classes=3, width=4)
    with pytest.raises(BadInput, match=r"the generator's shape \(8, 8, 1\), got \(16, 16, 1\)"):
        fit(torch.zeros(2, 1, 8, 8), generator=networks[0], discriminator=larger, search=SEARCH, seed=0)


def test_a_bank_too_small_for_the_starts_is_refused(networks):
    with pytest.raises(BadInput, match="num_starts: expected at most 3, the size of the bank, got 4"):
        detector(networks, bank_per_class=1, num_starts=4)


def test_a_broken_generator_is_refused(networks):
    networks[0].to_image.bias.data.fill_(torch.nan)
    with pytest.raises(BadInput, match="expected finite images"):
        detector(networks)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_steps", 0),
        ("num_starts", 0),
        ("bank_per_class", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("feature_weight", 1.1),
        ("norm", 0.5),
    ],
)
def test_a_search_out_of_range_is_refused(key: str, value: float):
    with pytest.raises(ValueError, match=f"^{key} must be .* got {value}"):
        dataclasses.replace(SEARCH, **{key: value})
