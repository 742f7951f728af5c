"""Splines against SciPy's, at their control points, and where they are affine."""

import torch
from scipy.interpolate import RBFInterpolator

from mintmark.transformations.affine import Affine
from mintmark.transformations.grids import centres
from mintmark.transformations.thin_plate_spline import ThinPlateSpline, _displacement, control_points


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_displacement_of_control_points_is_their_offset():
    offsets = seeded(3, 32)
    found = _displacement(control_points().expand(3, 2, 16), offsets)
    assert torch.allclose(found, offsets.view(3, 2, 16), atol=1e-10)


def test_displacement_elsewhere_is_that_of_scipy():
    offsets, places = seeded(32, seed=1), 2 * seeded(2, 50, seed=2) - 1
    spline = RBFInterpolator(control_points().T.numpy(), offsets.view(2, 16).T.numpy(), kernel="thin_plate_spline")
    expected = torch.from_numpy(spline(places.T.numpy())).T
    assert torch.allclose(_displacement(places, offsets), expected, atol=1e-9)


def test_offsets_of_an_affine_transformation_give_that_transformation():
    affine = 0.2 * (seeded(1, 1, 6, seed=3) - 0.5)
    points = torch.cat([control_points(), torch.ones(1, 16, dtype=torch.float64)])
    offsets = (affine.view(2, 3) @ points).view(1, 1, 32)
    image = seeded(1, 1, 2, 8, 9, seed=4)
    assert torch.allclose(ThinPlateSpline().apply(image, offsets), Affine().apply(image, affine), atol=1e-9)


def test_undoing_is_exact_where_the_inverse_stays_within_the_image():
    affine = torch.tensor([[0.3, 0.1, 0.05, -0.1, 0.4, 0.02]], dtype=torch.float64)  # reads farther out than it shows
    points = torch.cat([control_points(), torch.ones(1, 16, dtype=torch.float64)])
    image = seeded(1, 2, 8, 9, seed=4)
    undone = ThinPlateSpline().undo(image, (affine.view(2, 3) @ points).view(1, 32))
    assert torch.allclose(undone, Affine().undo(image, affine), atol=1e-6)


def test_single_precision_keeps_the_identity():
    pixels = centres(28, 28, like=torch.zeros(1))[:2]
    assert _displacement(pixels, torch.zeros(4, 32)).abs().max() == 0
