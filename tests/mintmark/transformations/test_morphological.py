"""Soft dilation and erosion in their limits, and between the extremes of the neighbourhood."""

import pytest
import torch
from torch.nn import functional

from mintmark.transformations.morphological import STEEPEST, Morphological


def images(seed=0):
    drawn = torch.rand(2, 1, 1, 7, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.round(decimals=0) + 0.2  # two values: no near ties


def offsets(alpha, weight):
    return torch.tensor([alpha] + [weight] * 8, dtype=torch.float64).expand(2, 1, 9)


def pooled(seen, sign):
    return sign * functional.max_pool2d(sign * functional.pad(seen[:, 0], (1, 1, 1, 1)), 3, stride=1)


@pytest.mark.parametrize("sign", [1, -1])
def test_steep_alpha_is_the_largest_or_the_smallest_neighbour(sign):
    seen = images()
    changed = Morphological().apply(seen, offsets(sign * 100.0, 1.0))[:, 0]
    assert torch.allclose(changed, pooled(seen, sign), atol=0.03)


def test_alpha_of_zero_is_the_mean_of_the_neighbours_that_count():
    seen = images()
    mean = functional.avg_pool2d(seen[:, 0], 3, stride=1, padding=1)
    assert torch.allclose(Morphological().apply(seen, offsets(0.0, 1.0))[:, 0], mean, atol=1e-12)


def test_one_neighbour_with_much_weight_is_a_shift():
    numbers = torch.zeros(2, 1, 9, dtype=torch.float64)
    numbers[..., 1 + 4] = 1e9  # the neighbour to the right
    expected = functional.pad(images(), (0, 1))[..., 1:]
    assert torch.allclose(Morphological().apply(images(), numbers), expected, atol=1e-6)


def test_no_pixel_leaves_the_range_of_its_neighbourhood():
    seen = images() - 0.7
    drawn = 6 * torch.randn(2, 5, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    changed = Morphological().apply(seen, drawn)
    assert (changed <= pooled(seen, 1)[:, None] + 1e-12).all()
    assert (changed >= pooled(seen, -1)[:, None] - 1e-12).all()


def test_steepest_alpha_stays_finite_in_single_precision():
    seen = torch.tensor([-2.0, 2.0]).repeat(12).view(1, 1, 1, 4, 6)
    for alpha in (-1e6, 1e6, STEEPEST):
        numbers = torch.tensor([alpha, *[3.0] * 8]).view(1, 1, 9)
        assert torch.isfinite(Morphological().apply(seen, numbers)).all()
