"""Made data sets keep their promises: range, the digit inside its frame, the same by the same seed, classes untouched."""

import numpy as np
import pytest
import torch

from bench.cluster.made import ROTATION, SCALES, SHEAR, SIDE, WINDOW, centred, coloured, contrast_of, moved

NUM = 200


@pytest.fixture(scope="module")
def grey() -> torch.Tensor:
    """Digit-like images: a soft blot each, of its own size and place, within the 20 by 20 in the middle; black elsewhere."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand((NUM, 1, 5, 5), generator=rng) * (torch.rand((NUM, 1, 5, 5), generator=rng) < 0.4)
    coarse[:, :, 2, 2] = 1.0
    fine = torch.nn.functional.interpolate(coarse, size=20, mode="bilinear")
    return 2 * torch.nn.functional.pad(fine, (4, 4, 4, 4)) - 1


def test_a_coloured_image_follows_its_gains_and_biases(grey: torch.Tensor):
    made = coloured(grey, rng=np.random.default_rng(1))
    assert made.shape == (NUM, 3, 28, 28)
    assert made.min() >= -1
    assert torch.allclose(made.amax(dim=(1, 2, 3)), torch.ones(NUM))
    assert (made.std(dim=(0,)) > 0.1).all()  # colours differ from image to image, the background's too
    rng = np.random.default_rng(1)
    gains, biases = rng.uniform(-1, 1, (NUM, 3, 1, 1)), rng.uniform(0, 1, (NUM, 3, 1, 1))
    by_hand = np.abs(gains * (grey.double().numpy() + 1) / 2 + biases)
    by_hand /= by_hand.max(axis=(1, 2, 3), keepdims=True)
    assert made.numpy() == pytest.approx(2 * by_hand - 1, abs=1e-5)


@pytest.mark.parametrize("make", [coloured, moved])
def test_the_same_seed_makes_the_same_images(grey: torch.Tensor, make):
    first, again, other = (make(grey, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_ink_leaves_the_frame(grey: torch.Tensor):
    made = moved(grey, rng=np.random.default_rng(1))
    assert made.shape == (NUM, 1, SIDE, SIDE)
    assert made.min() >= -1
    assert made.max() <= 1 + 1e-6
    # Ink is what it was times the area's scale, so nothing was cut off.
    ratio = (made + 1).sum(dim=(1, 2, 3)) / (grey + 1).sum(dim=(1, 2, 3))
    assert ratio.min() > 0.98 * SCALES[0] ** 2
    assert ratio.max() < 1.02 * SCALES[1] ** 2


def test_digits_go_everywhere_in_the_frame(grey: torch.Tensor):
    made = moved(grey, rng=np.random.default_rng(1))[:, 0] + 1
    for axis in (1, 2):
        middles = (made.sum(dim=3 - axis) * torch.arange(SIDE)).sum(dim=1) / made.sum(dim=(1, 2))
        assert middles.min() < SIDE / 3
        assert middles.max() > 2 * SIDE / 3


def test_a_moved_bar_turns_no_further_than_it_may():
    bar = -torch.ones(NUM, 1, 28, 28)
    bar[:, :, 6:22, 13:15] = 1.0
    made = moved(bar, rng=np.random.default_rng(1))[:, 0] + 1
    places = torch.arange(SIDE).double()
    mass = made.double().sum(dim=(1, 2))
    y = (made.sum(dim=2) * places).sum(dim=1) / mass
    x = (made.sum(dim=1) * places).sum(dim=1) / mass
    slant = (made * (places[:, None] - y[:, None, None]) * (places - x[:, None, None])).sum(dim=(1, 2))
    slant /= (made * (places[:, None] - y[:, None, None]).square()).sum(dim=(1, 2))
    degrees = slant.atan().rad2deg()
    most = ROTATION + np.rad2deg(np.arctan(SHEAR))
    assert degrees.abs().max() < most
    assert degrees.min() < -ROTATION / 2
    assert degrees.max() > ROTATION / 2


def test_an_image_too_large_to_fit_stays_in_the_middle():
    made = moved(torch.ones(50, 1, SIDE, SIDE), rng=np.random.default_rng(0))[:, 0] + 1
    too_wide = (made[:, :, [0, -1]].amax(dim=1) > 0).all(dim=1)
    assert 0 < too_wide.sum() < 50
    middle = (made.sum(dim=1) * torch.arange(SIDE)).sum(dim=1) / made.sum(dim=(1, 2))
    assert middle[too_wide].numpy() == pytest.approx((SIDE - 1) / 2, abs=0.02)


def test_contrast_brings_the_grey_digit_back(grey: torch.Tensor):
    made = coloured(grey, rng=np.random.default_rng(1))
    found = contrast_of(made)
    rng = np.random.default_rng(1)
    gains, biases = rng.uniform(-1, 1, (NUM, 3)), rng.uniform(0, 1, (NUM, 3))
    straight = torch.from_numpy((gains + biases >= 0).all(axis=1))  # no channel passed through 0
    assert 0.2 < straight.double().mean() < 0.6
    lightest = (grey[straight] + 1) / (grey[straight] + 1).amax(dim=(1, 2, 3), keepdim=True)
    assert torch.allclose((found[straight] + 1) / 2, lightest, atol=1e-4)
    assert torch.equal(contrast_of(torch.zeros(1, 3, 4, 4)), -torch.ones(1, 1, 4, 4))


def test_a_window_has_the_centre_of_ink_in_its_middle(grey: torch.Tensor):
    found = centred(moved(grey, rng=np.random.default_rng(1)))[:, 0] + 1
    assert found.shape == (NUM, WINDOW, WINDOW)
    for axis in (1, 2):
        middles = (found.sum(dim=3 - axis) * torch.arange(WINDOW)).sum(dim=1) / found.sum(dim=(1, 2))
        assert (middles - (WINDOW - 1) / 2).abs().max() <= 0.51  # to the nearest pixel


def test_a_shift_by_whole_pixels_leaves_the_window_as_it_was_and_nothing_stays_nothing():
    image = -torch.ones(1, 1, SIDE, SIDE)
    image[:, :, 12:21, 15:22] = torch.rand((9, 7), generator=torch.Generator().manual_seed(0))
    assert torch.equal(centred(image.roll((14, -11), (2, 3))), centred(image))
    assert torch.equal(centred(-torch.ones(1, 1, SIDE, SIDE)), -torch.ones(1, 1, WINDOW, WINDOW))
