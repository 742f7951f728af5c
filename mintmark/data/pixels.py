"""Pixels: image files decoded without surprises, and brought to one size and number of channels.

Takes 8-bit gray and RGB images, palettes and bilevel images included. Everything else (16 bits, CMYK, transparency,
animation, bombs) is refused with the reason rather than silently reduced. Knows nothing of where the bytes come from.
"""

import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from typing import IO, Literal, cast

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
MOST_PIXELS = 1 << 27  # beyond 1.33 times that Pillow itself speaks of a decompression bomb
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_BROKEN = (  # what escapes from Pillow's parsers on broken bytes
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, AttributeError),
    *(struct.error, zlib.error),
)
_GRAY_MODES = ("1", "L", "LA")
_COLOUR_MODES = ("RGB", "P", "PA", "RGBA")
_TRANSPARENT_MODES = ("LA", "PA", "RGBA")


class _Refused(ValueError):
    """A whole image of a form that is not accepted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """The size and the channels that images are brought to.

    Attributes:
        size: (height, width); None: as they are, all alike.
        channels: 1 (gray) or 3 (RGB); None: as they are, all alike.
        fit: "resize" stretches to the size; "pad" shrinks what is too large, keeps proportions, and fills with black.
        max_pixels: The largest image, in pixels, that is decoded at all.
    """

    size: tuple[int, ...] | None
    channels: int | None
    fit: Literal["resize", "pad"]
    max_pixels: int

    def __post_init__(self) -> None:
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise ValueError(f"size must be null or [height, width], got {list(self.size)}")
        if self.channels not in {None, 1, 3}:
            raise ValueError(f"channels must be null, 1 or 3, got {self.channels}")
        if not 1 <= self.max_pixels <= MOST_PIXELS:
            raise ValueError(f"max_pixels must be from 1 to {MOST_PIXELS}, got {self.max_pixels}")

    def shape_of(self, first: np.ndarray) -> tuple[int, ...]:
        """(height, width, channels) of all images, given the first that can be read."""
        height, width, channels = _with_channels(first).shape
        return (*(self.size or (height, width)), self.channels or channels)

    def place(self, payload: np.ndarray, *, shape: tuple[int, ...]) -> UInt8[np.ndarray, "height width channels"]:
        """An image of numbers from 0 to 255 in the shape that all share.

        Raises:
            ValueError: a value is no whole number from 0 to 255, or the image has another shape and no size or number
                of channels is wanted that would change it.
        """
        image = _with_channels(as_pixels(payload))
        if self.channels is not None and image.shape[2] != self.channels:
            image = _recoloured(image, self.channels)
        if self.size is not None and image.shape[:2] != self.size:
            image = _stretched(image, self.size) if self.fit == "resize" else _padded(image, self.size)
        if image.shape != shape:
            raise ValueError(f"expected {_named(shape)} as the first image, got {_named(image.shape)}; state a size")
        return image


def as_pixels(values: Shaped[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Whole numbers from 0 to 255 of any type as bytes.

    Raises:
        ValueError: a value is something else.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "iuf":
        raise ValueError(f"expected whole numbers from 0 to 255, got values of type {values.dtype}")
    wrong = ~((values >= 0) & (values <= 255) & (values == np.floor(values)))
    if wrong.any():
        raise ValueError(f"expected whole numbers from 0 to 255, got {values[wrong][0]}")
    return values.astype(np.uint8)


def decode(stream: BufferedIOBase, *, max_pixels: int) -> UInt8[np.ndarray, "height width channels"]:
    """The pixels of an image file, gray or RGB, turned as its EXIF orientation says.

    Raises:
        ValueError: it is no image of the accepted forms; the message says what was expected and what was found.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is checked below; the rest are remarks on metadata
            with Image.open(cast("IO[bytes]", stream), formats=FORMATS) as image:
                return _with_channels(np.array(_flat(image, max_pixels)))
    except _Refused:
        raise
    except Image.DecompressionBombError as error:
        raise ValueError(f"expected at most {max_pixels} pixels, got a decompression bomb") from error
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"expected an image ({', '.join(FORMATS)}), got something else") from error
    except _BROKEN as error:
        raise ValueError(f"expected a whole image, got a broken one: {' '.join(str(error).split())}") from error


def _flat(image: Image.Image, max_pixels: int) -> Image.Image:
    """The image as mode L or RGB, decoded only when its header promises nothing that would be lost."""
    width, height = image.size
    if width * height > max_pixels:
        raise _Refused(f"expected at most {max_pixels} pixels, got {width} x {height}")
    sixteen_bit = ";16" in str(getattr(image, "tile", ""))  # Pillow's mode does not say: 16-bit RGB opens as RGB
    if sixteen_bit or image.mode not in _GRAY_MODES + _COLOUR_MODES:
        raise _Refused(f"expected 8-bit gray or RGB, got {'16-bit ' if sixteen_bit else ''}{image.mode}")
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # a camera's MPO is a JPEG with previews
    if frames != 1:
        raise _Refused(f"expected one image, got {frames} frames")
    upright = ImageOps.exif_transpose(image)
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        opaque, _ = upright.convert("RGBA").getchannel("A").getextrema()
        if opaque != 255:
            raise _Refused("expected an opaque image, got transparent pixels")
    return upright.convert("L" if image.mode in _GRAY_MODES else "RGB")


def _with_channels(values: np.ndarray) -> np.ndarray:
    """(height, width) or (height, width, channels) as the latter."""
    if values.ndim == 2:
        return values[:, :, None]
    if values.ndim != 3 or min(values.shape) < 1:
        raise ValueError(f"expected an image (height, width, channels), got shape {values.shape}")
    return values


def _recoloured(image: np.ndarray, channels: int) -> np.ndarray:
    if image.shape[2] == 1:
        return np.repeat(image, channels, axis=2)
    if image.shape[2] == 3 and channels == 1:
        return np.array(Image.fromarray(image).convert("L"))[:, :, None]
    raise ValueError(f"expected 1 or 3 channels, got {image.shape[2]}")


def _stretched(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    height, width = size
    planes = [Image.fromarray(image[:, :, one]) for one in range(image.shape[2])]  # channel by channel: any number
    resized = [np.array(plane.resize((width, height), Image.Resampling.BILINEAR)) for plane in planes]
    return np.stack(resized, axis=2)


def _padded(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    scale = min(1.0, size[0] / image.shape[0], size[1] / image.shape[1])
    if scale < 1:
        shrunk = tuple(max(1, round(side * scale)) for side in image.shape[:2])
        image = _stretched(image, shrunk)
    top, left = (size[0] - image.shape[0]) // 2, (size[1] - image.shape[1]) // 2
    padded = np.zeros((*size, image.shape[2]), np.uint8)
    padded[top : top + image.shape[0], left : left + image.shape[1]] = image
    return padded


def _named(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
