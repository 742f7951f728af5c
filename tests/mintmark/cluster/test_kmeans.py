"""K-means against scikit-learn from the same starts, hand-made clusters, and its refusals."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as Reference

from mintmark.cluster.kmeans import Recipe, _means, fit, spread
from mintmark.errors import BadInput

RECIPE = Recipe(starts=4, steps=100)


def column(*values):
    """One-pixel images."""
    return torch.tensor(values).view(-1, 1, 1, 1)


def test_two_obvious_clusters_are_found_with_their_means_and_loss():
    found = fit(column(0.0, 0.2, 1.0, 0.8), num_clusters=2, recipe=RECIPE, seed=0)
    assert sorted(found.best.prototypes.flatten().tolist()) == pytest.approx([0.1, 0.9], abs=1e-6)
    assert found.losses.min().item() == pytest.approx(0.01, abs=1e-6)
    assert found.best.assign(column(0.3)).distances.item() == pytest.approx(0.04, abs=1e-6)


def test_every_start_agrees_with_scikit_learn_from_the_same_centres(digits):
    images, _ = digits.take(np.arange(300)).tensors()
    found = fit(images, num_clusters=10, recipe=RECIPE, seed=3)
    points = images.flatten(1)
    centres = spread(points, num_clusters=10, starts=4, rng=torch.Generator().manual_seed(3))
    for start in range(4):
        reference = Reference(10, algorithm="lloyd", tol=0, max_iter=100)
        reference.set_params(init=centres[start].numpy(), n_init=1)
        reference.fit(points.numpy())
        assert found.losses[start].item() == pytest.approx(reference.inertia_ / points.numel(), rel=1e-4)


def test_best_is_the_start_of_lowest_loss_and_assigns_as_it_was_fitted(digits):
    images, _ = digits.take(np.arange(200)).tensors()
    found = fit(images, num_clusters=5, recipe=RECIPE, seed=0)
    assigned = found.best.assign(images)
    assert torch.equal(assigned.clusters, found.clusters[found.losses.argmin()])
    assert assigned.distances.mean().item() == pytest.approx(found.losses.min().item(), rel=1e-5)


def test_loss_never_rises_from_step_to_step(digits):
    images, _ = digits.take(np.arange(200)).tensors()
    history = fit(images, num_clusters=10, recipe=RECIPE, seed=1).history
    for start in range(RECIPE.starts):
        losses = [entry.loss for entry in history if entry.start == start]
        assert all(after <= before + 1e-6 for before, after in pairwise(losses))


def test_emptied_cluster_takes_the_farthest_point():
    points = torch.tensor([[0.0], [1.0], [7.0]])
    clusters = torch.tensor([[0, 0, 0]])
    centres = _means(points, clusters, torch.tensor([[0.0, 1.0, 49.0]]), num_clusters=2)
    assert centres.tolist() == [[[pytest.approx(8 / 3)], [7.0]]]


@pytest.mark.parametrize("seed", range(5))
def test_spread_draws_no_point_twice_even_among_repeats(seed):
    points = torch.tensor([[0.0], [0.0], [0.0], [1.0], [1.0], [5.0]])
    centres = spread(points, num_clusters=3, starts=8, rng=torch.Generator().manual_seed(seed))
    assert all(sorted(start.flatten().tolist()) == [0.0, 1.0, 5.0] for start in centres)


def test_no_cluster_stays_empty_among_many_repeats():
    images = column(*[0.0] * 30, 1.0, 2.0, 3.0)
    found = fit(images, num_clusters=4, recipe=RECIPE, seed=0)
    assert all(len(torch.unique(start)) == 4 for start in found.clusters)
    assert found.losses.max().item() == pytest.approx(0.0, abs=1e-9)


def test_align_leaves_images_as_they_are():
    images = column(0.0, 1.0)
    clustering = fit(images, num_clusters=2, recipe=RECIPE, seed=0).best
    assert torch.equal(clustering.align(images, torch.tensor([0, 1])), images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (column(0.0), "expected at least 2 records for 2 clusters, got 1"),
        (column(0.5, 0.5, 0.5), "expected at least 2 different records for 2 clusters, got 1 among 3 records"),
        (column(0.5, 0.1, float("nan")), "record 2: expected finite pixels, got others in 1 records"),
    ],
)
def test_impossible_images_are_refused(images, message):
    with pytest.raises(BadInput, match=message):
        fit(images, num_clusters=2, recipe=RECIPE, seed=0)


@pytest.mark.parametrize("name", ["starts", "steps"])
def test_recipe_refuses_none(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Recipe(**{"starts": 1, "steps": 1} | {name: 0})
