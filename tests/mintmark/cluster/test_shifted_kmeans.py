"""K-means up to translations against the direct search, and series at random places, which plain K-means mixes."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from mintmark.cluster import kmeans
from mintmark.cluster.scores import accuracy, contingency
from mintmark.cluster.shifted_kmeans import ShiftedKMeans, fit
from mintmark.cluster.shifts import Shifts
from mintmark.errors import BadInput

RECIPE = kmeans.Recipe(starts=5, steps=50)
FORMS = (
    (0.2, 0.4, 0.6, 0.8, 1.0, 0.0, 0.0, 0.0, 0.0),  # a ramp
    (1.0, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0),  # the same backwards
    (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0),  # two spikes
)


def series(num=120, *, length=40, farthest=8, seed=0):
    """Forms at random places in a little noise: (n, 1, 1, length), and which form each is."""
    rng = np.random.default_rng(seed)
    codes, drawn = np.arange(num) % len(FORMS), rng.normal(0, 0.05, (num, length))
    for row, code in enumerate(codes):
        place = 15 + rng.integers(-farthest, farthest + 1)
        drawn[row, place : place + len(FORMS[code])] += FORMS[code]
    return torch.from_numpy(drawn).float()[:, None, None], codes


def right(clusters, codes):
    return accuracy(contingency(clusters.numpy(), codes, num_clusters=3, num_classes=3)).value


def test_series_at_random_places_are_told_apart_and_plain_k_means_mixes_them():
    drawn, codes = series()
    found = fit(drawn, num_clusters=3, farthest=16, recipe=RECIPE, seed=0)
    assert right(found.clusters[int(found.losses.argmin())], codes) > 0.95
    plain = kmeans.fit(drawn, num_clusters=3, recipe=RECIPE, seed=0)
    assert right(plain.clusters[int(plain.losses.argmin())], codes) < 0.7


def test_the_best_start_assigns_as_it_was_fitted_and_losses_never_rise():
    drawn, _ = series()
    found = fit(drawn, num_clusters=3, farthest=4, recipe=RECIPE, seed=1)
    assigned = found.best.assign(drawn)
    assert torch.equal(assigned.clusters, found.clusters[int(found.losses.argmin())])
    assert assigned.distances.mean().item() == pytest.approx(found.losses.min().item(), rel=1e-4)
    for start in range(RECIPE.starts):
        losses = [entry.loss for entry in found.history if entry.start == start]
        assert all(later <= earlier + 1e-9 for earlier, later in pairwise(losses))


@pytest.mark.parametrize("shape", [(2, 4, 5), (1, 1, 7)])
def test_distances_are_the_least_over_all_translations(shape):
    rng = torch.Generator().manual_seed(0)
    images, shifts = torch.rand(6, *shape, generator=rng), Shifts(height=shape[1], width=shape[2], farthest=2)
    means = torch.rand(3, shape[0], *shifts.frame, generator=rng, dtype=torch.float64)
    clusters = ShiftedKMeans(means=means, shifts=shifts, background=torch.full(shape[:1], 0.25))
    assigned = clusters.assign(images)
    frames = shifts.embed((images - 0.25).double())
    for row, frame in enumerate(frames):
        moved = shifts.move_back(frame.expand(shifts.num, -1, -1, -1), torch.arange(shifts.num))
        squares = (moved[:, None] - means).square().sum(dim=(2, 3, 4))  # (shifts, clusters)
        assert assigned.distances[row].item() == pytest.approx(squares.min().item() / images[0].numel(), rel=1e-5)
        assert assigned.clusters[row] == squares.min(dim=0).values.argmin()


def test_aligned_series_lie_where_their_prototype_does():
    drawn, _ = series()
    best = fit(drawn, num_clusters=3, farthest=16, recipe=RECIPE, seed=0).best
    clusters = best.assign(drawn).clusters
    before, after = ((one - best.prototypes[clusters]).square().mean() for one in (drawn, best.align(drawn, clusters)))
    assert after < 0.2 * before


def test_images_are_aligned_though_a_cluster_has_none_of_them():
    drawn, _ = series()
    best = fit(drawn, num_clusters=3, farthest=4, recipe=RECIPE, seed=0).best
    clusters = best.assign(drawn).clusters
    assert torch.allclose(best.align(drawn[:1], clusters[:1]), best.align(drawn, clusters)[:1])


def test_without_translations_it_is_plain_k_means(digits):
    images, _ = digits.take(np.arange(150)).tensors()
    ours = fit(images, num_clusters=5, farthest=0, recipe=RECIPE, seed=0)
    plain = kmeans.fit(images, num_clusters=5, recipe=RECIPE, seed=0)
    assert torch.allclose(ours.losses, plain.losses, rtol=0.02)


def test_fewer_series_than_clusters_are_refused():
    with pytest.raises(BadInput, match="at least 3 records"):
        fit(torch.rand(2, 1, 1, 9), num_clusters=3, farthest=2, recipe=RECIPE, seed=0)


def test_translations_by_less_than_nothing_are_refused():
    with pytest.raises(ValueError, match="farthest must not be negative, got -1"):
        fit(torch.rand(5, 1, 1, 9), num_clusters=3, farthest=-1, recipe=RECIPE, seed=0)
