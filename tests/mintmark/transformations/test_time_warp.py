"""Warps of time against shifts and stretches in closed form, at their bounds, and on series and images alike."""

import math

import pytest
import torch

from mintmark.transformations.affine import Affine
from mintmark.transformations.grids import centres
from mintmark.transformations.time_warp import LARGEST_SLOPE, STRETCHES, TimeWarp


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def offsets(num=1, *, shift=0.0, stretch=0.0):
    drawn = torch.zeros(num, 1, 2 + STRETCHES, dtype=torch.float64)
    drawn[..., 0], drawn[..., 1] = shift, stretch
    return drawn


@pytest.mark.parametrize("height", [1, 5])
@pytest.mark.parametrize("steps", [-3, 2])
def test_whole_steps_are_a_plain_shift(height, steps):
    images = seeded(2, 1, 3, height, 10)
    found = TimeWarp().apply(images, offsets(2, shift=2 * steps / 10))[:, 0]
    expected = torch.zeros_like(images[:, 0])
    kept = slice(max(0, -steps), 10 - max(0, steps))
    expected[..., kept] = torch.roll(images[:, 0], -steps, dims=3)[..., kept]
    assert torch.allclose(found, expected, atol=1e-12)


def test_one_slope_for_all_is_an_affine_stretch_along_the_rows():
    images, stretch, shift = seeded(2, 1, 2, 6, 9), math.log(1.3), 0.17
    affine = torch.tensor([math.exp(stretch) - 1, 0.0, shift, 0.0, 0.0, 0.0], dtype=torch.float64).expand(2, 1, 6)
    found = TimeWarp().apply(images, offsets(2, stretch=stretch, shift=shift))
    assert torch.allclose(found, Affine().apply(images, affine), atol=1e-12)


def test_each_stretch_runs_at_its_own_slope():
    drawn = offsets(shift=0.05)
    drawn[..., 2:] = torch.log(torch.tensor([0.5, 2.0, 1.0, 3.0, 0.25, 1.5]))
    length = 2 / STRETCHES
    x = torch.tensor([-1.2, -1 + length, 0.0, length, 2 * length, 1.0], dtype=torch.float64)
    found = TimeWarp().source(torch.stack([x, torch.full_like(x, 0.3)]), drawn)[0, 0]
    left = -length * 1.0 - length * 2.0
    by_hand = [left - 0.5 * (0.2 + length), left, 0.0, 3 * length, 3.25 * length, 4.75 * length]
    assert torch.allclose(found[0], 0.05 + torch.tensor(by_hand, dtype=torch.float64))
    assert (found[1] == 0.3).all()


def test_time_never_stops_nor_turns_back():
    drawn = 200 * (seeded(50, 1, 2 + STRETCHES) - 0.5)
    places = centres(1, 300, like=drawn)[:2]
    slopes = TimeWarp().source(places, drawn)[:, 0, 0].diff(dim=1) / places[0].diff()
    assert slopes.min() > 0.999 / LARGEST_SLOPE
    assert slopes.max() < 1.001 * LARGEST_SLOPE


def test_undo_reads_where_the_warp_led():
    drawn = 0.8 * (seeded(8, 2 + STRETCHES) - 0.5)
    ramp = centres(1, 2000, like=drawn)[0].expand(8, 1, 1, 2000)
    undone = TimeWarp().undo(TimeWarp().apply(ramp[:, None], drawn[:, None])[:, 0], drawn)
    assert (undone - ramp)[..., 700:1300].abs().max() < 1e-3


def test_a_series_is_never_mixed_with_what_lies_above_or_below():
    ones = torch.ones(3, 1, 2, 1, 50)
    drawn = 0.2 * (seeded(3, 4, 2 + STRETCHES) - 0.5).float()
    assert torch.allclose(TimeWarp().apply(ones, drawn)[..., 20:30], torch.ones(()))


def test_every_row_of_an_image_runs_alike():
    images, drawn = seeded(2, 1, 2, 4, 12), 0.5 * (seeded(2, 3, 2 + STRETCHES, seed=1) - 0.5)
    rows = [TimeWarp().apply(images[..., row, None, :], drawn) for row in range(4)]
    assert torch.allclose(TimeWarp().apply(images, drawn), torch.cat(rows, dim=3), atol=1e-12)
