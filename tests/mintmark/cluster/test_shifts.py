"""Fourier correlations against the direct sum over translations."""

import pytest
import torch

from mintmark.cluster.shifts import Shifts, spectrum

SHIFTS = Shifts(height=4, width=5, farthest=2)


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    "shifts",
    [
        SHIFTS,
        Shifts(height=3, width=3, farthest=0),
        Shifts(height=2, width=7, farthest=5),
        Shifts(height=1, width=6, farthest=3),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_correlation_is_the_direct_sum_over_pixels(shifts, channels):
    images = shifts.embed(seeded(3, channels, shifts.height, shifts.width))
    patterns = seeded(2, channels, *shifts.frame, seed=1)
    found = shifts.correlate(spectrum(images), spectrum(patterns))
    assert found.shape == (3, 2, shifts.num)
    for number in range(shifts.num):
        down, right = shifts.offsets(torch.tensor([number]))[0].tolist()
        back = torch.roll(images, (-down, -right), dims=(2, 3))
        assert torch.allclose(found[:, :, number], torch.einsum("nchw,mchw->nm", back, patterns), atol=1e-12)


def test_gathering_is_the_direct_sum_over_images_and_translations():
    images, weights = SHIFTS.embed(seeded(3, 2, 4, 5)), seeded(3, 4, SHIFTS.num, seed=1)
    expected = torch.zeros(4, 2, *SHIFTS.frame, dtype=torch.float64)
    for image in range(3):
        for number in range(SHIFTS.num):
            back = SHIFTS.move_back(images[image, None], torch.tensor([number]))
            expected += weights[image, :, number, None, None, None] * back
    assert torch.allclose(SHIFTS.gather(spectrum(images), weights), expected, atol=1e-12)


def test_moves_go_down_and_right_by_their_offsets_and_back():
    assert SHIFTS.offsets(torch.tensor([0, 12, 13, 24])).tolist() == [[-2, -2], [0, 0], [0, 1], [2, 2]]
    dot = torch.zeros(1, 1, 4, 5, dtype=torch.float64)
    dot[0, 0, 1, 3] = 1.0
    number = torch.tensor([24])
    moved = SHIFTS.move(SHIFTS.embed(dot), number)
    assert torch.nonzero(moved[0, 0]).tolist() == [[1 + 2 + 2, 3 + 2 + 2]]
    assert torch.equal(SHIFTS.crop(SHIFTS.move_back(moved, number)), dot)


def test_one_row_goes_neither_up_nor_down():
    shifts = Shifts(height=1, width=6, farthest=3)
    assert (shifts.frame, shifts.num) == ((1, 12), 7)
    assert shifts.offsets(torch.arange(7)).tolist() == [[0, right] for right in range(-3, 4)]


def test_every_image_moves_by_itself():
    frames, numbers = SHIFTS.embed(seeded(25, 2, 4, 5)), torch.arange(25)
    moved = SHIFTS.move(frames, numbers)
    for number in range(25):
        down, right = SHIFTS.offsets(numbers)[number].tolist()
        assert torch.equal(moved[number], torch.roll(frames[number], (down, right), dims=(1, 2)))


def test_nothing_of_an_image_wraps_around():
    frames = SHIFTS.embed(seeded(25, 1, 4, 5) + 1)
    moved = SHIFTS.move(frames, torch.arange(25))
    assert moved[0, 0, :4, :5].min() > 0
    assert moved[24, 0, 4:, 4:].min() > 0
    assert moved[24, 0, :4].abs().sum() == 0
