"""Images as PNG bytes, the same bytes for the same pixels, and a sheet of many. Knows no record and no file."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
SHEET_SIDE = 640  # pixels, about


def encode_png(image: UInt8[np.ndarray, "height width channels"]) -> bytes:
    """One image as a PNG of 8 bits a channel, without any metadata.

    Raises:
        ValueError: PNG has no form for that number of channels.
    """
    channels = image.shape[2]
    if channels not in MODES:
        raise ValueError(f"image must have 1 to 4 channels to become a PNG, got {channels}")
    stream = io.BytesIO()
    Image.fromarray(image[:, :, 0] if channels == 1 else image).save(stream, format="PNG", compress_level=6)
    return stream.getvalue()


def decode_png(content: bytes) -> UInt8[np.ndarray, "height width channels"]:
    """The pixels of a PNG of 8 bits a channel."""
    with Image.open(io.BytesIO(content)) as opened:
        plain = opened if opened.mode in MODES.values() else opened.convert("RGB")
        pixels = np.asarray(plain, dtype=np.uint8)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def sheet(
    images: UInt8[np.ndarray, "n height width channels"], *, columns: int
) -> UInt8[np.ndarray, "sheet_height sheet_width channels"]:
    """Images side by side, row by row, enlarged without smoothing to a sheet about `SHEET_SIDE` wide.

    `n` must be a multiple of `columns`.
    """
    n, _, width, channels = images.shape
    times = max(1, SHEET_SIDE // (columns * (width + 2)))
    large = images.repeat(times, axis=1).repeat(times, axis=2)
    framed = np.pad(large, {1: times, 2: times}, constant_values=128)
    rows = framed.reshape(n // columns, columns, *framed.shape[1:])
    return np.ascontiguousarray(
        rows.transpose(0, 2, 1, 3, 4).reshape(n // columns * framed.shape[1], columns * framed.shape[2], channels)
    )
