"""Images are decoded without surprises, or refused with the reason."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mintmark.data.pixels import MOST_PIXELS, Canvas, as_pixels, decode

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLOUR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


def canvas(**wanted) -> Canvas:
    return Canvas(**{"size": None, "channels": None, "fit": "pad", "max_pixels": 1000} | wanted)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def png(*, depth: int, colour_type: int, row: bytes, width: int = 2) -> bytes:
    """A one-line PNG by hand: Pillow does not write 16-bit colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)
    body = zlib.compress(b"\0" + row)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def decoded(data: bytes, max_pixels: int = 1000) -> np.ndarray:
    return decode(io.BytesIO(data), max_pixels=max_pixels)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_gray_and_colour_come_back_as_they_were(form):
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(GRAY), form)), GRAY[:, :, None])
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(COLOUR), form)), COLOUR)


def test_a_jpeg_comes_back_nearly_as_it_was():
    flat = np.full((16, 16), 100, np.uint8)
    np.testing.assert_allclose(decoded(encoded(Image.fromarray(flat), "JPEG"))[:, :, 0].astype(int), 100, atol=2)


def test_bilevel_palette_and_opaque_alpha_lose_nothing():
    bits = Image.fromarray(GRAY > 5)
    np.testing.assert_array_equal(decoded(encoded(bits, "PNG"))[:, :, 0], (GRAY > 5) * 255)
    palette = Image.fromarray(COLOUR).quantize(12)
    np.testing.assert_array_equal(decoded(encoded(palette, "PNG")), np.array(palette.convert("RGB")))
    opaque = Image.fromarray(COLOUR).convert("RGBA")
    np.testing.assert_array_equal(decoded(encoded(opaque, "PNG")), COLOUR)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    turned = decoded(encoded(Image.fromarray(GRAY), "PNG", exif=exif))
    np.testing.assert_array_equal(turned[:, :, 0], np.rot90(GRAY, k=-1))


REFUSED = {
    "text": (b"hello, I am text", "expected an image"),
    "empty": (b"", "expected an image"),
    "truncated": (encoded(Image.fromarray(COLOUR), "BMP")[:60], "got a broken one"),
    "truncated png": (encoded(Image.fromarray(COLOUR), "PNG")[:-30], "got a broken one"),
    "gif": (encoded(Image.fromarray(GRAY), "GIF"), "expected an image"),
    "16-bit gray": (png(depth=16, colour_type=0, row=b"\x12\x34" * 2), "got 16-bit"),
    "16-bit colour": (png(depth=16, colour_type=2, row=b"\x12\x34" * 6), "got 16-bit RGB"),
    "32-bit": (encoded(Image.new("I", (2, 2)), "TIFF"), "got I"),
    "float": (encoded(Image.new("F", (2, 2)), "TIFF"), "got F"),
    "cmyk": (encoded(Image.new("CMYK", (2, 2)), "JPEG"), "got CMYK"),
    "transparent": (encoded(Image.new("RGBA", (2, 2), (1, 2, 3, 128)), "PNG"), "got transparent pixels"),
    "colour key": (encoded(Image.new("L", (2, 2)), "PNG", transparency=0), "got transparent pixels"),
    "pages": (
        encoded(Image.new("L", (2, 2)), "TIFF", save_all=True, append_images=[Image.new("L", (2, 2))]),
        "got 2 frames",
    ),
    "large": (encoded(Image.new("1", (100, 11)), "PNG"), "expected at most 1000 pixels, got 100 x 11"),
    "bomb": (png(depth=1, colour_type=0, row=b"", width=1 << 30), "got a decompression bomb"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_something_is_refused_in_one_line(name):
    data, reason = REFUSED[name]
    with pytest.raises(ValueError, match=reason) as caught:
        decoded(data)
    assert "\n" not in str(caught.value)


def test_broken_files_never_escape_as_other_errors():
    """Bytes of good files changed at random: an array or a ValueError, nothing else."""
    good = [encoded(Image.fromarray(COLOUR), form) for form in ("PNG", "JPEG", "BMP", "TIFF")]
    rng = np.random.default_rng(0)
    outcomes = set()
    for trial in range(800):
        data = bytearray(good[trial % 4])
        data[rng.integers(len(data))] = rng.integers(256)
        try:
            outcomes.add(decoded(bytes(data)).dtype.name)
        except ValueError:
            outcomes.add("refused")
    assert outcomes == {"uint8", "refused"}


def test_values_outside_bytes_are_no_pixels():
    np.testing.assert_array_equal(as_pixels(np.array([0.0, 255.0])), [0, 255])
    for wrong in ([-1], [256], [0.5], [np.nan], ["a"]):
        with pytest.raises(ValueError, match="expected whole numbers from 0 to 255"):
            as_pixels(np.array(wrong))


def test_padding_centres_and_never_enlarges():
    placed = canvas(size=(5, 6)).place(GRAY, shape=(5, 6, 1))
    np.testing.assert_array_equal(placed[1:4, 1:5, 0], GRAY)
    assert placed.sum() == GRAY.sum()


def test_padding_shrinks_what_is_too_large_and_keeps_proportions():
    white = np.full((8, 4), 255, np.uint8)
    placed = canvas(size=(4, 4)).place(white, shape=(4, 4, 1))
    np.testing.assert_array_equal(placed[:, :, 0], [[0, 255, 255, 0]] * 4)


def test_resizing_stretches_to_the_size():
    white = np.full((8, 4, 3), 255, np.uint8)
    placed = canvas(size=(2, 6), fit="resize").place(white, shape=(2, 6, 3))
    np.testing.assert_array_equal(placed, np.full((2, 6, 3), 255))


def test_resizing_agrees_with_pillow():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    expected = np.array(Image.fromarray(image).resize((4, 5), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(canvas(size=(5, 4), fit="resize").place(image, shape=(5, 4, 3)), expected)


def test_channels_are_converted_only_where_wanted():
    gray = canvas(channels=1).place(COLOUR, shape=(3, 4, 1))
    weighted = COLOUR @ np.array([299, 587, 114]) / 1000  # ITU-R 601-2 luma
    np.testing.assert_allclose(gray[:, :, 0], weighted, atol=0.51)
    np.testing.assert_array_equal(canvas(channels=3).place(GRAY, shape=(3, 4, 3)), np.stack([GRAY] * 3, axis=2))
    with pytest.raises(ValueError, match="expected 3 x 4 x 1 as the first image, got 3 x 4 x 3"):
        canvas().place(COLOUR, shape=(3, 4, 1))


def test_the_shape_is_that_wanted_or_that_of_the_first():
    assert canvas().shape_of(GRAY) == (3, 4, 1)
    assert canvas(size=(7, 8)).shape_of(COLOUR) == (7, 8, 3)
    assert canvas(channels=3).shape_of(GRAY) == (3, 4, 3)


@pytest.mark.parametrize(
    ("key", "value"),
    [("size", (3,)), ("size", (0, 3)), ("channels", 2), ("max_pixels", 0), ("max_pixels", MOST_PIXELS + 1)],
)
def test_impossible_wishes_are_refused(key, value):
    with pytest.raises(ValueError, match=f"{key} must be"):
        canvas(**{key: value})
