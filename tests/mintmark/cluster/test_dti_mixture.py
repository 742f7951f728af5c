"""Densities by hand, the gradient of the likelihood, a floor, and shapes that only their spread tells apart."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.dti_mixture import SMALLEST_DEVIATION, DTIMixture, MixtureClusters, fit
from mintmark.cluster.scores import accuracy, contingency
from mintmark.errors import BadInput
from mintmark.transformations.sequence import apply_all, named

STARTS, CLUSTERS, IMAGES, SIDE = 2, 3, 4, 6
SEQUENCE = ("affine", "colour", "thin_plate_spline")


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def make():
    """A mixture of which nothing is where it began."""
    rng = torch.Generator().manual_seed(0)
    form = Form(
        shape=(SIDE, SIDE, 1), num_clusters=CLUSTERS, width=2, num_features=4, hidden=3, transformations=SEQUENCE
    )
    mixture = DTIMixture(DTI(form, prototypes=seeded(STARTS, CLUSTERS, 1, SIDE, SIDE), rng=rng))
    with torch.no_grad():
        for name in SEQUENCE:
            weight, _ = mixture.network.last_layer(name)
            weight.add_(0.1 * torch.randn(weight.shape, generator=rng))
        mixture.deviations.copy_(seeded(*mixture.deviations.shape, seed=1))
        mixture.logits.copy_(seeded(STARTS, CLUSTERS, seed=2))
    return mixture


def offsets_of(mixture, images):
    return mixture.network.offsets(images, stage=len(SEQUENCE))


def test_joint_density_is_that_of_normals_about_the_answers_with_warped_deviations():
    mixture, images = make(), seeded(IMAGES, 1, SIDE, SIDE, seed=3)
    found = mixture.joint(images, offsets_of(mixture, images))
    affine, colour, spline = named(SEQUENCE)
    weights = mixture.logits.softmax(dim=1)
    for start, component in np.ndindex(STARTS, CLUSTERS):
        numbers = [one[start, component][None] for one in offsets_of(mixture, images)]
        mean, deviation = (one[start, component][None, None] for one in (mixture.prototypes, mixture.deviations))
        answers = spline.apply(colour.apply(affine.apply(mean, numbers[0]), numbers[1]), numbers[2])[0]
        warped = apply_all((affine, spline), deviation, [numbers[0], numbers[2]])[0]
        spread = (SMALLEST_DEVIATION**2 + warped.square()).sqrt()
        logs = Normal(answers, spread).log_prob(images).sum(dim=(1, 2, 3)) + weights[start, component].log()
        expected = logs / SIDE**2 + math.log(2 * math.pi * SMALLEST_DEVIATION**2) / 2
        assert torch.allclose(found[start, component], expected, atol=1e-5)


def test_untransformed_components_need_no_offsets():
    mixture, images = make(), seeded(IMAGES, 1, SIDE, SIDE, seed=3)
    nothing = tuple(torch.zeros_like(one) for one in offsets_of(mixture, images))
    assert torch.allclose(mixture.joint(images, ()), mixture.joint(images, nothing), atol=1e-5)


def test_unpriced_loss_and_gradient_are_those_of_the_likelihood():
    mixture, images = make(), seeded(IMAGES, 1, SIDE, SIDE, seed=3)
    losses, _ = mixture.losses(images, stage=3, prices=torch.zeros(STARTS, CLUSTERS))
    logs = SIDE**2 * mixture.joint(images, offsets_of(mixture, images))
    expected = -logs.logsumexp(dim=1).mean(dim=1) / SIDE**2
    assert torch.allclose(losses, expected, atol=1e-6)
    parameters = list(mixture.parameters())
    ours = torch.autograd.grad(losses.sum(), parameters, retain_graph=True)
    theirs = torch.autograd.grad(expected.sum(), parameters)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(ours, theirs, strict=True))
    assert all(one.abs().sum() > 0 for one in ours)


def test_price_drives_images_away():
    mixture, images = make(), seeded(IMAGES, 1, SIDE, SIDE, seed=3)
    prices = torch.tensor([[0.0, 50.0, 50.0], [50.0, 50.0, 0.0]])
    losses, clusters = mixture.losses(images, stage=3, prices=prices)
    assert clusters.tolist() == [[0] * IMAGES, [2] * IMAGES]
    logs = mixture.joint(images, offsets_of(mixture, images))
    assert torch.allclose(losses, -torch.stack([logs[0, 0], logs[1, 2]]).mean(dim=1), atol=1e-6)


def test_no_loss_is_below_zero():
    mixture = make()
    with torch.no_grad():
        mixture.deviations.zero_()
    losses, _ = mixture.losses(mixture.prototypes[0].detach(), stage=0, prices=torch.zeros(STARTS, CLUSTERS))
    assert losses.min() >= 0


def test_a_start_alone_answers_as_among_the_others():
    mixture, images = make(), seeded(IMAGES, 1, SIDE, SIDE, seed=3)
    alone = mixture.start(1)
    together = mixture.joint(images, offsets_of(mixture, images))[1]
    assert torch.allclose(alone.joint(images, offsets_of(alone, images))[0], together, atol=1e-6)


def test_likelihoods_of_clusters_are_those_of_the_mixture_in_blocks_or_not(monkeypatch):
    clusters = MixtureClusters(mixture=make().start(0), background=torch.tensor([-0.5]))
    images = seeded(7, 1, SIDE, SIDE, seed=4) - 0.5
    logs = SIDE**2 * clusters.mixture.joint(images + 0.5, offsets_of(clusters.mixture, images + 0.5))[0]
    expected = logs.logsumexp(dim=0) / SIDE**2 - math.log(2 * math.pi * SMALLEST_DEVIATION**2) / 2
    assert torch.allclose(clusters.log_likelihoods(images), expected, atol=1e-5)
    assert torch.equal(clusters.assign(images).clusters, logs.argmax(dim=0))
    monkeypatch.setattr("mintmark.cluster.dti_mixture.BLOCK_ELEMENTS", 2 * clusters.mixture.prototypes.numel())
    assert torch.allclose(clusters.log_likelihoods(images), expected, atol=1e-5)


def test_shapes_that_differ_by_their_spread_alone_are_told_apart(recipe):
    rng, codes = torch.Generator().manual_seed(0), torch.arange(120) % 2
    noise = torch.randn(120, 1, 8, 8, generator=rng)
    noise[codes == 0, :, :, 4:] *= 0.1
    noise[codes == 1, :, :, :4] *= 0.1
    found = fit(noise, num_clusters=2, recipe=replace(recipe, starts=2, steps=120), seed=0)
    best = found.clusters[found.losses.argmin()].numpy()
    agreement = accuracy(contingency(best, codes.numpy(), num_clusters=2, num_classes=2)).value
    assert agreement > 0.95


def test_fit_is_repeatable_and_its_best_answers_as_reported(shifted, recipe):
    images, _ = shifted
    short = replace(recipe, starts=3, steps=60, identity_steps=20)
    first, second = (fit(images, num_clusters=2, recipe=short, seed=0) for _ in range(2))
    assert torch.equal(first.losses, second.losses)
    assert first.history == second.history
    assert first.cost["affine_steps"] == 40
    assigned = first.best.assign(images)
    assert torch.equal(assigned.clusters, first.clusters[first.losses.argmin()])
    assert first.best.align(images, assigned.clusters).shape == images.shape
    assert first.best.prototypes.shape == (2, 1, 9, 9)


def test_pictures_whose_colours_lie_together_in_memory_are_clustered_alike(recipe):
    images, short = seeded(12, 3, 8, 8, seed=5), replace(recipe, starts=1, steps=3, identity_steps=1)
    layouts = (torch.contiguous_format, torch.channels_last)
    one, other = (fit(images.contiguous(memory_format=it), num_clusters=2, recipe=short, seed=0) for it in layouts)
    assert torch.equal(one.losses, other.losses)


def test_identical_images_are_refused(recipe):
    with pytest.raises(BadInput, match="expected at least 2 different records for 2 clusters, got 1 among 9 records"):
        fit(torch.zeros(9, 1, 8, 8), num_clusters=2, recipe=recipe, seed=0)
