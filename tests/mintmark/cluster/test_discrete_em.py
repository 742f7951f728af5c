"""An ascent that never falls, planted shifts and rotations, digits that K-means confuses, and refusals."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from mintmark.cluster import discrete_em, kmeans
from mintmark.cluster.discrete_em import Recipe, fit, improve
from mintmark.cluster.gaussian_mixture import Mixture
from mintmark.cluster.linear_warps import LinearWarps, rotated_and_scaled
from mintmark.cluster.scores import accuracy, contingency
from mintmark.cluster.shifts import Shifts
from mintmark.cluster.transformed_mixture import Transformations, TransformedMixture
from mintmark.errors import BadInput

RECIPE = Recipe(starts=3, steps=15, tolerance=1e-6, smallest_deviation=0.25, farthest=2)


def best_of(found):
    assert isinstance(found.best, TransformedMixture)
    return found.best


def agreement(found, codes):
    num = int(codes.max()) + 1
    best = found.clusters[found.losses.argmin()].numpy()
    return accuracy(contingency(best, codes, num_clusters=num, num_classes=num)).value


@pytest.fixture(scope="module")
def seen(digits):
    return digits.take(np.arange(80)).tensors()[0]


@pytest.mark.parametrize(
    "change", [{}, {"rotations": (-20.0, 0.0, 20.0), "scales": (0.85, 1.0), "farthest": 1, "starts": 2}]
)
def test_likelihood_never_falls(seen, change):
    found = fit(seen, num_clusters=4, recipe=replace(RECIPE, **change), seed=0)
    assert found.cost["restarts"] == 0
    for start in range(len(found.losses)):
        losses = [entry.loss for entry in found.history if entry.start == start]
        assert losses[0] > losses[-1] + 0.01
        assert all(after <= before + 1e-10 for before, after in pairwise(losses))


def test_step_without_warps_is_the_direct_sum_over_images_and_translations():
    shifts = Shifts(height=3, width=3, farthest=1)
    set_of = Transformations(shifts, LinearWarps(rotated_and_scaled((0.0,), (1.0,), frame=(5, 5)), frame=(5, 5)))
    rng = torch.Generator().manual_seed(0)
    frames = shifts.embed(torch.rand(6, 1, 3, 3, generator=rng, dtype=torch.float64))
    means = torch.rand(1, 2, 25, generator=rng, dtype=torch.float64)
    mixture = Mixture(torch.tensor([[0.4, 0.6]]).double(), means, torch.ones_like(means))
    back = torch.stack([shifts.move_back(frames, torch.full((6,), number)) for number in range(9)], dim=1).flatten(2)
    logs = -(back[:, None] - means[0, None, :, None]).square().sum(dim=3) / 2  # (n, K, T)
    members = (logs + mixture.weights[0].log()[None, :, None]).flatten(1).softmax(dim=1).view(6, 2, 9)
    counts = members.sum(dim=(0, 2))
    expected = torch.einsum("nkt,ntp->kp", members, back) / counts[:, None]
    squares = torch.einsum("nkt,ntp->kp", members, back.square()) / counts[:, None] - expected.square()
    _, improved, _ = improve(frames, mixture, transformations=set_of, smallest=1e-9)
    assert torch.allclose(improved.weights[0], counts / 6)
    assert torch.allclose(improved.means[0], expected)
    assert torch.allclose(improved.variances[0], squares.clamp(min=1e-9), atol=1e-9)


def test_planted_shifts_are_recovered(shifted):
    images, codes = shifted
    found = fit(images, num_clusters=2, recipe=replace(RECIPE, farthest=4, starts=4), seed=0)
    best = best_of(found)
    assert agreement(found, codes) == 1.0
    assigned = best.assign(images)
    assert assigned.distances.mean() < 1e-3
    offsets = best.transformations.shifts.offsets(best.poses(images, assigned.clusters).shifts)
    corners = torch.stack([torch.nonzero(image[0] > 0).min(dim=0).values for image in images])
    for cluster in range(2):  # the frame of a prototype may lie anywhere, but it is the same for all its images
        difference = (corners - offsets)[assigned.clusters == cluster]
        assert (difference == difference[0]).all()
    aligned = best.align(images, assigned.clusters)
    assert (aligned - best.prototypes[assigned.clusters]).square().mean() < 1e-3


def test_planted_rotations_are_recovered():
    shape = torch.zeros(1, 1, 11, 11, dtype=torch.float64)
    shape[0, 0, 2:9, 5] = 2.0
    shape[0, 0, 2, 5:9] = 2.0
    turns = (-30.0, 0.0, 30.0)
    warps = LinearWarps(rotated_and_scaled(turns, (1.0,), frame=(11, 11)), frame=(11, 11))
    planted = torch.arange(60) % 3
    images = warps(shape)[0, planted].float() - 1
    images += 0.05 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    recipe = Recipe(
        starts=3, steps=30, tolerance=1e-6, smallest_deviation=0.1, farthest=1, rotations=(-60.0, *turns, 60.0)
    )
    found = fit(images, num_clusters=1, recipe=recipe, seed=0)
    poses = best_of(found).poses(images, torch.zeros(60, dtype=torch.int64))
    difference = (poses.warps - planted).unique()
    assert difference.tolist() in ([0], [1], [2])  # one turn between shape and prototype, the same for all


def test_digits_at_random_places_are_told_apart_where_kmeans_fails(digits):
    rows = np.flatnonzero(digits.codes < 3)[:150]
    images, codes = digits.take(rows).tensors()[0], digits.codes[rows]
    places, moved = np.random.default_rng(0).integers(0, 5, (150, 2)), torch.full((150, 1, 12, 12), -1.0)
    for image, (down, right), target in zip(images, places, moved, strict=True):
        target[:, down : down + 8, right : right + 8] = image
    by_pixels = kmeans.fit(moved, num_clusters=3, recipe=kmeans.Recipe(starts=10, steps=50), seed=0)
    found = fit(moved, num_clusters=3, recipe=replace(RECIPE, farthest=4), seed=0)
    assert agreement(by_pixels, codes) < 0.6
    assert agreement(found, codes) > 0.85


def test_emptied_component_takes_the_image_that_is_explained_worst():
    shifts = Shifts(height=2, width=2, farthest=0)
    set_of = Transformations(shifts, LinearWarps(rotated_and_scaled((0.0,), (1.0,), frame=(2, 2)), frame=(2, 2)))
    frames = torch.tensor([0.0, 0.1, 0.2, 5.0]).double().view(4, 1, 1, 1).expand(4, 1, 2, 2)
    means = torch.tensor([[[0.1] * 4, [100.0] * 4]]).double()
    mixture = Mixture(torch.tensor([[1.0, 1e-9]]).double(), means, torch.full_like(means, 4.0))
    _, improved, restarts = improve(frames, mixture, transformations=set_of, smallest=0.01)
    assert restarts == 1
    assert improved.means[0, 1].tolist() == [5.0] * 4


def test_one_image_is_a_cluster_of_its_own():
    image = torch.rand(1, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    found = fit(image, num_clusters=1, recipe=replace(RECIPE, farthest=0, starts=1), seed=0)
    assert torch.allclose(found.best.prototypes, image)
    # At its mean, every pixel as narrow as may be.
    assert found.losses.item() == pytest.approx(np.log(2 * np.pi * RECIPE.smallest_deviation**2) / 2)


def test_best_is_the_likeliest_start_and_assigns_as_it_was_fitted(seen):
    found = fit(seen, num_clusters=4, recipe=replace(RECIPE, farthest=1, steps=5), seed=0)
    assert torch.equal(found.best.assign(seen).clusters, found.clusters[found.losses.argmin()])
    assert found.losses.max() < max(entry.loss for entry in found.history if entry.step == 1)


def test_same_seed_gives_the_same_bits_in_blocks_or_not(seen, monkeypatch):
    recipe = replace(RECIPE, farthest=1, steps=4)
    first, second, other = (fit(seen, num_clusters=3, recipe=recipe, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.losses, second.losses)
    assert not torch.equal(first.losses, other.losses)
    monkeypatch.setattr("mintmark.cluster.transformed_mixture.BLOCK_ELEMENTS", 30 * 9 * 100)
    assert torch.allclose(fit(seen, num_clusters=3, recipe=recipe, seed=0).losses, first.losses, rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 1, 3, 3), "expected at least 2 records for 2 clusters, got 1"),
        (torch.zeros(3, 1, 3, 3), "expected at least 2 different records for 2 clusters, got 1 among 3 records"),
        (torch.full((3, 1, 3, 3), torch.nan), "record 0: expected finite pixels, got others in 3 records"),
    ],
)
def test_impossible_images_are_refused(images, message):
    with pytest.raises(BadInput, match=message):
        discrete_em.fit(images, num_clusters=2, recipe=RECIPE, seed=0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("starts", 0, "starts must be at least 1, got 0"),
        ("farthest", -1, "farthest must not be negative, got -1"),
        ("smallest_deviation", 0.0, "smallest_deviation must be above 0, got 0.0"),
        ("rotations", (), "rotations and scales must hold at least one value each"),
        ("scales", (1.0, 0.0), "scales must be above 0, got 0.0"),
    ],
)
def test_recipe_refuses_impossible_numbers(name, value, message):
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **{name: value})
