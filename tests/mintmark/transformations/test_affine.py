"""Warps against PyTorch's own grids, hand-made shifts, and the inverse's defining property."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from mintmark.transformations.affine import SMALLEST_DETERMINANT, identity, inverse, warp

NEAR = st.floats(-0.3, 0.3)


def seeded(*size):
    return torch.rand(size, generator=torch.Generator().manual_seed(0))


def test_identity_changes_nothing():
    images = seeded(2, 3, 5, 4)
    warped = warp(images, identity(images).expand(2, 3, 6))
    assert torch.allclose(warped, images[:, None].expand(2, 3, 3, 5, 4), atol=1e-6)


def test_shift_by_one_pixel_reads_the_next_column_and_zero_outside():
    image = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
    one_pixel = 2 / 4
    warped = warp(image, torch.tensor([[[1.0, 0.0, one_pixel, 0.0, 1.0, 0.0]]]))
    assert torch.allclose(warped, torch.tensor([[[[[2.0, 3.0, 4.0, 0.0]]]]]), atol=1e-6)


def test_many_warps_in_one_call_equal_torch_one_by_one():
    images, affines = seeded(3, 2, 6, 5), torch.tensor([1.0, 0, 0, 0, 1, 0]) + 0.4 * (seeded(3, 4, 6) - 0.5)
    together = warp(images, affines)
    for image in range(3):
        for one in range(4):
            grid = functional.affine_grid(affines[image, one].view(1, 2, 3), [1, 2, 6, 5], align_corners=False)
            alone = functional.grid_sample(images[image, None], grid, align_corners=False)[0]
            assert torch.allclose(together[image, one], alone, atol=1e-5)


@given(st.tuples(NEAR, NEAR, NEAR, NEAR, NEAR, NEAR))
def test_inverse_undoes_every_affine_that_does_not_collapse(deviation):
    affine = identity(torch.zeros(1)).double() + torch.tensor(deviation, dtype=torch.float64)
    square = [
        torch.cat([one.view(2, 3), torch.tensor([[0.0, 0, 1]], dtype=one.dtype)]) for one in (affine, inverse(affine))
    ]
    assert torch.allclose(square[0] @ square[1], torch.eye(3, dtype=torch.float64), atol=1e-9)


def test_inverse_of_a_collapsed_affine_is_bounded():
    flat = torch.tensor([1.0, 0.0, 0.5, 0.0, 0.0, 0.0])
    bound = 1 / SMALLEST_DETERMINANT
    assert torch.allclose(inverse(flat), torch.tensor([0.0, 0.0, 0.0, 0.0, bound, 0.0]))


def test_gradient_reaches_images_and_affines():
    images, affines = seeded(1, 1, 4, 4).requires_grad_(), identity(torch.zeros(1)).repeat(1, 2, 1).requires_grad_()
    warp(images, affines).square().sum().backward()
    assert images.grad is not None
    assert affines.grad is not None
    assert images.grad.abs().sum() > 0
    assert affines.grad.abs().sum() > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_result_has_one_image_for_each_affine(channels):
    assert warp(seeded(2, channels, 4, 6), torch.zeros(2, 5, 6)).shape == (2, 5, channels, 4, 6)
