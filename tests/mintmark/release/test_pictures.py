"""PNG bytes: whole pixels, stable bytes, sheets."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintmark.release.pictures import decode_png, encode_png, sheet

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))


@given(arrays.arrays(np.uint8, shapes))
def test_pixels_come_back_as_they_went_in(image: np.ndarray):
    np.testing.assert_array_equal(decode_png(encode_png(image)), image)


def test_equal_pixels_give_equal_bytes_without_metadata(digits):
    content = encode_png(digits.images[0])
    assert content == encode_png(digits.images[0].copy())
    assert b"tEXt" not in content
    assert b"tIME" not in content


def test_five_channels_have_no_png():
    with pytest.raises(ValueError, match=r"1 to 4 channels .* got 5"):
        encode_png(np.zeros((2, 2, 5), np.uint8))


def test_a_sheet_shows_each_image_in_its_place(digits):
    picture = sheet(digits.images[:6], columns=3)
    tall, wide = picture.shape[0] // 2, picture.shape[1] // 3
    times = wide // 10
    for place, image in enumerate(digits.images[:6]):
        row, column = divmod(place, 3)
        tile = picture[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
        np.testing.assert_array_equal(tile[times:-times:times, times:-times:times], image)
