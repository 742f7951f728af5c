"""Projective warps against the affine ones, against a plane seen at an angle, and the inverse by hand."""

import pytest
import torch

from mintmark.transformations.affine import Affine
from mintmark.transformations.projective import Projective, _places


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_first_six_numbers_are_the_affine_ones():
    images, affine = seeded(2, 1, 1, 6, 7), 0.4 * (seeded(2, 3, 6, seed=1) - 0.5)
    projective = torch.cat([affine, torch.zeros(2, 3, 2, dtype=torch.float64)], dim=2)
    assert torch.allclose(Projective().apply(images, projective), Affine().apply(images, affine), atol=1e-12)
    undone = Projective().undo(images[:, 0], projective[:, 0])
    assert torch.allclose(undone, Affine().undo(images[:, 0], affine[:, 0]), atol=1e-12)


def test_depth_grows_along_its_axis():
    matrix = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.5, 0, 1]])
    places = _places(matrix, 1, 2)  # pixel centres at x = -0.5 and 0.5
    assert places[0].tolist() == pytest.approx([-0.5 / 0.75, 0.5 / 1.25])


def test_nothing_is_read_from_beyond_the_horizon():
    behind = torch.tensor([0.0, 0, 0, 0, 0, 0, 5.0, 0]).view(1, 1, 8).double()
    result = Projective().apply(torch.ones(1, 1, 1, 1, 8, dtype=torch.float64), behind)
    assert torch.isfinite(result).all()
    assert result[..., :3].abs().sum() == 0


@pytest.mark.parametrize("seed", range(3))
def test_places_of_the_inverse_undo_the_places(seed):
    offsets = 0.3 * (seeded(8, seed=seed) - 0.5)
    matrix = torch.eye(3, dtype=torch.float64) + torch.cat([offsets, offsets.new_zeros(1)]).view(3, 3)
    inverse = torch.linalg.inv(matrix)
    image = seeded(1, 1, 9, 9, seed=7)
    as_offsets = (inverse / inverse[2, 2] - torch.eye(3, dtype=torch.float64)).flatten()[:8]
    expected = Projective().apply(image[:, None], as_offsets.view(1, 1, 8))[:, 0]
    assert torch.allclose(Projective().undo(image, offsets[None]), expected, atol=1e-10)


def test_a_collapsed_one_is_undone_no_further_than_allowed():
    flat = torch.tensor([[-1.0, 0, 0, 0, 0, 0, 0, 0]]).double()  # every x is read at 0
    undone = Projective().undo(seeded(1, 1, 3, 3) + 1, flat)
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[:, 1] = (seeded(1, 1, 3, 3) + 1)[0, 0, 1, 1]  # x at x / SMALLEST_DETERMINANT, y at 0
    assert torch.allclose(undone[0, 0], expected)
