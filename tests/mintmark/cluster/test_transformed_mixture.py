"""Densities against SciPy under every transformation, planted poses, and what a fitted mixture answers."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from mintmark.cluster.gaussian_mixture import Mixture
from mintmark.cluster.linear_warps import LinearWarps, rotated_and_scaled
from mintmark.cluster.shifts import Shifts
from mintmark.cluster.transformed_mixture import Transformations, TransformedMixture, densities

SHIFTS = Shifts(height=3, width=4, farthest=1)


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def transformations(shifts, *, rotations=(0.0,), scales=(1.0,)):
    affines = rotated_and_scaled(rotations, scales, frame=shifts.frame)
    return Transformations(shifts, LinearWarps(affines, frame=shifts.frame))


def make(prototypes, *, farthest, rotations=(0.0,), variance=0.01):
    """Clusters of these means, above a background of -1."""
    shifts = Shifts(height=prototypes.shape[2], width=prototypes.shape[3], farthest=farthest)
    means = shifts.embed((prototypes + 1).double()).flatten(1)[None]
    weights = torch.full((1, len(prototypes)), 1 / len(prototypes), dtype=torch.float64)
    return TransformedMixture(
        mixture=Mixture(weights, means, torch.full_like(means, variance)),
        transformations=transformations(shifts, rotations=rotations),
        background=torch.full((prototypes.shape[1],), -1.0),
    )


@pytest.fixture
def corner():
    """One image of a shape without symmetry, off the middle."""
    image = torch.full((1, 1, 9, 9), -1.0)
    image[0, 0, 3:6, 3] = 1.0
    image[0, 0, 5, 3:6] = 0.5
    return image


def test_densities_are_those_of_scipy_under_every_transformation():
    mixture = Mixture(seeded(2, 3), seeded(2, 3, 60, seed=1) * 2, 0.2 + seeded(2, 3, 60, seed=2))
    found = transformations(SHIFTS, rotations=(0.0, 25.0))
    frames = SHIFTS.embed(seeded(2, 2, 3, 4, seed=3))
    logs = densities(mixture, found, channels=2)(frames)
    assert logs.shape == (2, 2, 3, 2, 9)
    warped = found.warps(mixture.means.reshape(6, 2, *SHIFTS.frame)).reshape(2, 3, 2, -1)
    for image in range(2):
        for number in range(9):
            back = SHIFTS.move_back(frames[image, None], torch.tensor([number])).flatten().numpy()
            for start, component, turn in np.ndindex(2, 3, 2):
                variances = mixture.variances[start, component].numpy()
                density = multivariate_normal(warped[start, component, turn].numpy(), np.diag(variances))
                prior = math.log(mixture.weights[start, component].item() / (2 * 9))
                expected = prior + density.logpdf(back)
                assert logs[image, start, component, turn, number].item() == pytest.approx(expected, abs=1e-8)


def test_image_is_carried_back_to_the_prototype_whatever_its_shift(corner):
    clusters = make(corner, farthest=3)
    shifts, numbers = clusters.transformations.shifts, torch.arange(49)
    frames = shifts.move(shifts.embed((corner + 1).double()).expand(49, -1, -1, -1), numbers)
    images = (shifts.crop(frames) - 1).float()
    assigned = clusters.assign(images)
    assert torch.equal(clusters.poses(images, assigned.clusters).shifts, numbers)
    assert assigned.distances.max() < 1e-9
    assert torch.allclose(
        clusters.align(images, assigned.clusters), clusters.prototypes.expand(49, -1, -1, -1), atol=1e-6
    )


def test_quarter_turns_are_found_and_undone(corner):
    clusters = make(corner, farthest=1, rotations=(0.0, 90.0, 180.0, 270.0))
    images = torch.cat([torch.rot90(corner, -turns, dims=(2, 3)) for turns in range(4)])
    assigned = clusters.assign(images)
    assert clusters.poses(images, assigned.clusters).warps.tolist() == [0, 1, 2, 3]
    assert assigned.distances.max() < 1e-9
    assert torch.allclose(clusters.align(images, assigned.clusters), corner.expand(4, -1, -1, -1), atol=1e-5)


def test_each_image_goes_to_the_prototype_whose_shape_it_shows(corner):
    other = torch.flip(corner, dims=(3,))
    clusters = make(torch.cat([corner, other]), farthest=3)
    images = torch.cat([torch.roll(one, (1, -2), dims=(2, 3)) for one in (other, corner, other)])
    assert clusters.assign(images).clusters.tolist() == [1, 0, 1]


def test_assigning_in_blocks_changes_nothing(corner, monkeypatch):
    clusters = make(torch.cat([corner, corner.flip(3)]), farthest=2)
    images = (seeded(7, 1, 9, 9) * 2 - 1).float()
    whole = clusters.assign(images)
    monkeypatch.setattr("mintmark.cluster.transformed_mixture.BLOCK_ELEMENTS", 1)
    parts = clusters.assign(images)
    assert torch.equal(parts.clusters, whole.clusters)
    assert torch.allclose(parts.distances, whole.distances)


def test_distance_is_taken_within_the_image(corner):
    clusters = make(corner, farthest=2)
    assert clusters.assign(torch.full((1, 1, 9, 9), -1.0)).distances.item() == pytest.approx(
        (2 * 2.0**2 + 3 * 1.5**2) / 81, abs=1e-6
    )
