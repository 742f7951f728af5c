"""Sparse warps against the bilinear warp itself, quarter turns by hand, and the adjoint's defining property."""

import pytest
import torch

from mintmark.cluster.linear_warps import LinearWarps, rotated_and_scaled
from mintmark.transformations.affine import warp

FRAME = (5, 6)


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def warps():
    return LinearWarps(rotated_and_scaled((-20.0, 0.0, 30.0), (0.8, 1.2), frame=FRAME), frame=FRAME)


def test_matrix_is_the_bilinear_warp(warps):
    frames = seeded(2, 3, *FRAME)
    assert len(warps) == 6
    assert torch.allclose(warps(frames), warp(frames, warps.affines.expand(2, 6, 6)), atol=1e-12)


def test_quarter_turn_is_clockwise_and_exact():
    square = LinearWarps(rotated_and_scaled((90.0,), (1.0,), frame=(3, 3)), frame=(3, 3))
    frame = torch.arange(9.0, dtype=torch.float64).view(1, 1, 3, 3)
    assert torch.allclose(square(frame)[:, 0], torch.rot90(frame, -1, dims=(2, 3)), atol=1e-12)


def test_pixels_are_square_where_the_frame_is_not():
    frame = torch.zeros(1, 1, 5, 9, dtype=torch.float64)
    frame[0, 0, 2, 2:7] = 1.0  # a horizontal bar of five pixels
    turned = LinearWarps(rotated_and_scaled((90.0,), (1.0,), frame=(5, 9)), frame=(5, 9))(frame)[0, 0, 0]
    upright = torch.zeros(5, 9, dtype=torch.float64)
    upright[:, 4] = 1.0
    assert torch.allclose(turned, upright, atol=1e-12)


def test_scale_above_one_enlarges():
    frame = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    frame[0, 0, 3:5, 3:5] = 1.0
    larger, smaller = LinearWarps(rotated_and_scaled((0.0,), (2.0, 0.5), frame=(8, 8)), frame=(8, 8))(frame)[0].sum(
        dim=(1, 2, 3)
    )
    assert larger > 10
    assert smaller < 2


def test_adjoint_moves_across_the_inner_product(warps):
    frames, warped = seeded(2, 3, *FRAME), seeded(2, 6, 3, *FRAME, seed=1)
    left = (warps(frames) * warped).sum(dim=(1, 2, 3, 4))
    right = (frames * warps.adjoint(warped)).sum(dim=(1, 2, 3))
    assert torch.allclose(left, right, atol=1e-12)


def test_squared_adjoint_is_the_diagonal_of_the_normal_matrix(warps):
    weights = seeded(1, 6, 1, *FRAME)
    basis = torch.eye(30, dtype=torch.float64).view(30, 1, *FRAME)
    diagonal = (warps(basis).square() * weights).sum(dim=(1, 2, 3, 4))
    assert torch.allclose(warps.squared_adjoint(weights).flatten(), diagonal, atol=1e-12)
