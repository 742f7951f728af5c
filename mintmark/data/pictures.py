"""Pictures of any size, one file each, as they are: nothing is resized, and the first that cannot be read is named."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mintmark.data.image_folder import names
from mintmark.data.pixels import MOST_PIXELS, SUFFIXES, decode
from mintmark.errors import BadInput

Picture = UInt8[np.ndarray, "_height _width _channels"]  # of any size: two of them need not agree


def picture_names(folder: Path) -> list[str]:
    """The paths of all pictures below a folder, relative to it, in a fixed order; hidden files are skipped.

    Raises:
        BadInput: there is no such folder, it holds none, or a file is none by its name.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder of pictures, found {'a file' if folder.exists() else 'none'}")
    found = list(names(folder))
    if not found:
        raise BadInput(f"{folder}: expected pictures ({' '.join(SUFFIXES)}), found none")
    for name in found:
        if not name.lower().endswith(SUFFIXES):
            raise BadInput(f"{folder / name}: expected a picture ({' '.join(SUFFIXES)}), got a file of another name")
    return found


def read_picture(path: Path) -> Picture:
    """Gray (one channel) or RGB (three).

    Raises:
        BadInput: names the file, and says what is wrong with it.
    """
    try:
        with path.open("rb") as stream:
            return decode(stream, max_pixels=MOST_PIXELS)
    except (ValueError, OSError) as error:
        raise BadInput(f"{path}: {error}") from error


def in_colour(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures as they are, or all in RGB where one of them is."""
    channels = max((one.shape[2] for one in pictures), default=1)
    return [with_channels(one, channels) for one in pictures]


def with_channels(picture: Picture, channels: int) -> Picture:
    """A picture with one or three channels.

    Raises:
        ValueError: one channel is wanted, and it has three that differ.
    """
    if picture.shape[2] == channels:
        return picture
    if channels == 3:
        return picture.repeat(3, axis=2)
    if (picture != picture[:, :, :1]).any():
        raise ValueError("expected gray, got colour")
    return picture[:, :, :1]
