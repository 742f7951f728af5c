"""Mixtures against scikit-learn from the same start, densities against SciPy, an ascent that never falls, refusals."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as Reference

from mintmark.cluster import kmeans
from mintmark.cluster.climb import climb
from mintmark.cluster.gaussian_mixture import GaussianMixture, Mixture, Recipe, begin, fit, improve, joint
from mintmark.errors import BadInput

RECIPE = Recipe(starts=3, kmeans_steps=5, steps=40, tolerance=1e-9, smallest_deviation=0.25)


def column(*values):
    """One-pixel images."""
    return torch.tensor(values).view(-1, 1, 1, 1)


def best_of(found):
    assert isinstance(found.best, GaussianMixture)
    return found.best


@pytest.fixture(scope="module")
def seen(digits):
    return digits.take(np.arange(300)).tensors()[0]


def test_densities_are_those_of_scipy():
    points = torch.rand(5, 3, generator=torch.Generator().manual_seed(0)).double()
    mixture = Mixture(
        torch.tensor([[0.3, 0.7]]).double(),
        torch.tensor([[[0.1, 0.2, 0.3], [0.9, 0.5, 0.0]]]).double(),
        torch.tensor([[[0.5, 1.0, 2.0], [0.1, 0.2, 0.3]]]).double(),
    )
    for component, weight in enumerate((0.3, 0.7)):
        density = multivariate_normal(mixture.means[0, component].numpy(), np.diag(mixture.variances[0, component]))
        expected = np.log(weight) + density.logpdf(points.numpy())
        assert joint(points, mixture)[0, component].numpy() == pytest.approx(expected)


def test_every_start_agrees_with_scikit_learn_from_the_same_mixture(digits):
    images = digits.take(np.arange(300)).tensors()[0]
    images += 0.3 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))  # no variance at the floor
    recipe = replace(RECIPE, smallest_deviation=1e-3, steps=10, tolerance=0.0)
    found = fit(images, num_clusters=4, recipe=recipe, seed=2)
    points = images.flatten(1).double()
    partition = kmeans.fit(images, num_clusters=4, recipe=kmeans.Recipe(starts=3, steps=5), seed=2).clusters
    first = begin(points, partition, num_clusters=4, smallest=1e-6)
    for start in range(3):
        reference = Reference(4, covariance_type="diag", tol=0.0, reg_covar=0.0, max_iter=10)
        reference.set_params(weights_init=first.weights[start].numpy(), means_init=first.means[start].numpy())
        reference.set_params(precisions_init=1 / first.variances[start].numpy())
        with pytest.warns(match="did not converge"):
            reference.fit(points.numpy())
        theirs = -reference.score(points.numpy()) / points.shape[1]
        assert found.losses[start].item() == pytest.approx(theirs, rel=1e-5)
        assert (found.clusters[start].numpy() == reference.predict(points.numpy())).mean() > 0.99


@pytest.mark.parametrize("deviation", [0.01, 0.25, 2.0])
def test_likelihood_never_falls_whatever_the_floor(seen, deviation):
    found = fit(seen, num_clusters=10, recipe=replace(RECIPE, smallest_deviation=deviation), seed=1)
    assert found.cost["restarts"] == 0
    for start in range(RECIPE.starts):
        losses = [entry.loss for entry in found.history if entry.start == start]
        assert len(losses) > 3
        assert all(after <= before + 1e-10 for before, after in pairwise(losses))
    assert found.losses.max() <= max(entry.loss for entry in found.history if entry.step == 1)


def test_no_variance_lies_below_its_floor(seen):
    best = best_of(fit(seen, num_clusters=10, recipe=RECIPE, seed=0))
    assert best.mixture.variances.min().item() == 0.25**2  # pixels in the corners never change
    assert best.mixture.weights.sum().item() == pytest.approx(1.0)


def test_planted_mixture_is_found():
    rng = torch.Generator().manual_seed(0)
    narrow = 0.3 + 0.02 * torch.randn(4000, generator=rng)
    wide = -0.2 + 0.2 * torch.randn(1000, generator=rng)
    images = torch.cat([narrow, wide]).view(-1, 1, 1, 1)
    recipe = replace(RECIPE, steps=300, smallest_deviation=1e-3)
    found = best_of(fit(images, num_clusters=2, recipe=recipe, seed=0))
    order = found.mixture.means[0, :, 0].argsort(descending=True)
    assert found.mixture.weights[0, order].numpy() == pytest.approx([0.8, 0.2], abs=0.03)
    assert found.mixture.means[0, order, 0].numpy() == pytest.approx([0.3, -0.2], abs=0.04)
    assert found.mixture.variances[0, order, 0].sqrt().numpy() == pytest.approx([0.02, 0.2], abs=0.02)


def test_same_mean_and_another_width_are_told_apart_where_kmeans_cannot():
    rng = torch.Generator().manual_seed(1)
    codes = torch.arange(400) % 2
    images = (torch.randn(400, 30, generator=rng) * torch.tensor([0.05, 0.4])[codes, None]).view(-1, 1, 5, 6)
    found = fit(images, num_clusters=2, recipe=replace(RECIPE, starts=5, smallest_deviation=0.02), seed=0)
    by_pixels = kmeans.fit(images, num_clusters=2, recipe=kmeans.Recipe(starts=5, steps=50), seed=0)
    shares = [(fitted.best.assign(images).clusters == codes).float().mean().item() for fitted in (found, by_pixels)]
    agreements = [max(share, 1 - share) for share in shares]
    assert agreements[0] > 0.98
    assert agreements[1] < 0.9


def test_emptied_component_takes_the_image_that_is_explained_worst():
    points = torch.tensor([[0.0], [0.1], [0.2], [5.0]]).double()
    mixture = Mixture(
        torch.tensor([[1.0, 1e-9]]).double(),
        torch.tensor([[[0.1], [100.0]]]).double(),
        torch.tensor([[[4.0], [1.0]]]).double(),
    )
    _, improved, restarts = improve(points, mixture, smallest=0.01)
    assert restarts == 1
    assert improved.means[0, 1].item() == 5.0
    assert improved.weights[0].tolist() == pytest.approx([0.8, 0.2])
    assert improved.variances[0, 1].item() == pytest.approx(improved.variances[0, 0].item())
    *_, last = climb(improved, lambda model: improve(points, model, smallest=0.01), steps=50, tolerance=1e-12)
    assert last.model.means[0, :, 0].tolist() == pytest.approx([0.1, 5.0], abs=1e-6)


def test_best_is_the_likeliest_start_and_assigns_as_it_was_fitted(seen):
    found = fit(seen, num_clusters=5, recipe=RECIPE, seed=0)
    assigned = found.best.assign(seen)
    assert torch.equal(assigned.clusters, found.clusters[found.losses.argmin()])
    expected = (seen - found.best.prototypes[assigned.clusters]).square().mean(dim=(1, 2, 3))
    assert torch.allclose(assigned.distances, expected, atol=1e-6)
    mean = best_of(found).log_likelihoods(seen).mean().item() / 64
    assert -mean == pytest.approx(found.losses.min().item(), rel=1e-5)
    assert torch.equal(found.best.align(seen, assigned.clusters), seen)


def test_same_seed_gives_the_same_bits(seen):
    first, second, other = (fit(seen, num_clusters=5, recipe=RECIPE, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.losses, second.losses)
    assert first.history == second.history
    assert not torch.equal(first.losses, other.losses)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (column(0.0), "expected at least 2 records for 2 clusters, got 1"),
        (column(0.5, 0.5, 0.5), "expected at least 2 different records for 2 clusters, got 1 among 3 records"),
        (column(0.5, 0.1, float("nan")), "record 2: expected finite pixels, got others in 1 records"),
        (column(0.5, float("inf"), float("nan")), "record 1: expected finite pixels, got others in 2 records"),
    ],
)
def test_impossible_images_are_refused(images, message):
    with pytest.raises(BadInput, match=message):
        fit(images, num_clusters=2, recipe=RECIPE, seed=0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("starts", 0, "starts must be at least 1, got 0"),
        ("tolerance", -1.0, "tolerance must not be negative, got -1.0"),
        ("smallest_deviation", 0.0, "smallest_deviation must be above 0, got 0.0"),
    ],
)
def test_recipe_refuses_impossible_numbers(name, value, message):
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **{name: value})
