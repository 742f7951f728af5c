"""Each corruption does what it says, to every image, the same way for the same draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintmark.anomaly.corruptions import (
    CORRUPTIONS,
    add_noise,
    corrupt,
    erase_block,
    invert,
    paste_part,
    shuffle_pixels,
)


def images(num: int = 6, height: int = 8, width: int = 10, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (num, height, width, channels)).astype(np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@settings(max_examples=60)
@given(
    name=st.sampled_from(sorted(CORRUPTIONS)),
    strength=st.floats(0.05, 1.0),
    height=st.integers(2, 9),
    width=st.integers(2, 9),
    channels=st.sampled_from([1, 3]),
)
def test_every_corruption_keeps_the_form_and_the_originals_and_repeats_itself(
    name: str, strength: float, height: int, width: int, channels: int
):
    originals = images(4, height, width, channels)
    before = originals.copy()
    first = corrupt(originals, name=name, strength=strength, rng=np.random.default_rng(1))
    again = corrupt(originals, name=name, strength=strength, rng=np.random.default_rng(1))
    assert first.shape == originals.shape
    assert first.dtype == np.uint8
    assert np.array_equal(originals, before)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_every_corruption_changes_every_image_and_most_draw_differently_each_time(name: str):
    originals = images(30)
    corrupted = corrupt(originals, name=name, strength=0.6, rng=np.random.default_rng(1))
    assert (corrupted != originals).any(axis=(1, 2, 3)).all()
    other = corrupt(originals, name=name, strength=0.6, rng=np.random.default_rng(2))
    assert np.array_equal(corrupted, other) == (name == "invert")


def test_an_erased_block_has_the_stated_size_and_the_image_s_mean_colour():
    originals = images()
    erased = erase_block(originals, strength=0.5, rng=rng())
    for original, changed in zip(originals, erased, strict=True):
        is_mean = (changed == original.mean(axis=(0, 1)).round()).all(axis=2)
        rows, columns = np.nonzero(is_mean)
        assert len(rows) == 4 * 5
        assert (rows.max() - rows.min(), columns.max() - columns.min()) == (3, 4)
        assert np.array_equal(changed[~is_mean], original[~is_mean])


def test_blocks_reach_every_corner():
    erased = erase_block(images(400), strength=0.25, rng=rng()) != images(400)
    assert all(erased[:, row, column].any() for row in (0, -1) for column in (0, -1))


def test_shuffled_pixels_are_the_same_pixels_of_which_the_stated_share_moved():
    numbers = np.arange(80, dtype=np.uint8).reshape(1, 8, 10, 1).repeat(5, axis=0).repeat(3, axis=3)
    shuffled = shuffle_pixels(numbers, strength=0.25, rng=rng())
    assert (np.sort(shuffled.reshape(5, 80, 3), axis=1) == numbers.reshape(5, 80, 3)).all()
    assert (shuffled == shuffled[..., :1]).all()  # a pixel moves with all its channels
    assert ((shuffled != numbers).all(axis=3).sum(axis=(1, 2)) == 20).all()


def test_noise_has_the_stated_spread_and_no_bias_where_nothing_is_clipped():
    grey = np.full((200, 8, 8, 1), 128, np.uint8)
    noise = add_noise(grey, strength=0.1, rng=rng()).astype(float) - 128
    assert noise.std() == pytest.approx(25.5, rel=0.02)
    assert noise.mean() == pytest.approx(0.0, abs=1.0)


def test_noise_is_clipped_and_does_not_wrap_around():
    for level in (0, 255):
        noisy = add_noise(np.full((5, 8, 8, 1), level, np.uint8), strength=0.1, rng=rng())
        assert np.abs(noisy.astype(int) - level).max() < 140


def test_inversion_at_full_strength_is_the_negative_and_at_half_is_grey():
    originals = images()
    assert np.array_equal(invert(originals, strength=1.0, rng=rng()), 255 - originals)
    assert set(np.unique(invert(originals, strength=0.5, rng=rng()))) <= {127, 128}


def test_a_pasted_part_comes_from_another_image_and_each_gives_once():
    numbers = np.arange(7, dtype=np.uint8)[:, None, None, None].repeat(8, axis=1).repeat(10, axis=2)
    pasted = paste_part(numbers, strength=0.3, rng=rng())
    assert np.array_equal(pasted[:, :, 3:], numbers[:, :, 3:])
    donors = pasted[:, 0, 0, 0]
    assert (pasted[:, :, :3] == donors[:, None, None, None]).all()
    assert sorted(donors.tolist()) == list(range(7))
    assert (donors != np.arange(7)).all()


def test_pasting_needs_another_image():
    with pytest.raises(ValueError, match="images must be at least two to paste one into another, got 1"):
        paste_part(images(1), strength=0.5, rng=rng())
