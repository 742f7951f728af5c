"""A folder of image files, one subfolder a class; or, where no labels are wanted, any tree of images.

Holds the names of one class folder at a time, about 100 bytes a file, and never more than a batch of pixels.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mintmark.data.pixels import SUFFIXES, Canvas, decode
from mintmark.data.rows import Row, Rows, source_of_rows
from mintmark.data.source import Source
from mintmark.errors import BadInput

_DROPPINGS = ("thumbs.db", "desktop.ini")  # left by file managers; hidden files are skipped as well


def open_image_folder(path: Path, *, canvas: Canvas, labelled: bool) -> Source:
    """The images in a folder, sorted by path.

    Args:
        path: The folder.
        canvas: The size and the channels wanted, and the largest image that is decoded.
        labelled: Whether the first subfolder's name is the label; without, every record is unlabelled.

    Raises:
        BadInput: there is no such folder, it holds no image, or images lie beside the class folders.
    """
    if not path.is_dir():
        raise BadInput(f"{path}: expected a folder of images, found {'a file' if path.is_file() else 'none'}")

    def rows() -> Iterator[Row]:
        for name in names(path):
            label = name.split("/", 1)[0] if labelled else None
            yield Row(where=name, read=lambda name=name: _read(path / name, canvas), label=label)

    number = 0
    for name in names(path):
        if labelled and "/" not in name:
            raise BadInput(f"{path}: expected one folder a class, got the file {name} beside them")
        number += 1
    if number == 0:
        raise BadInput(f"{path}: expected images ({' '.join(SUFFIXES)}), found none")
    some = Rows(read=rows, number=number, files=lambda: (path / name for name in names(path)))
    return source_of_rows(some, kind="image", mould=canvas, path=path)


def names(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder, relative to it, with slashes, in a fixed order."""
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        above = Path(parent).relative_to(folder).as_posix()
        for name in sorted(files):
            if name.startswith(".") or name.lower() in _DROPPINGS:
                continue
            whole = name if above == "." else f"{above}/{name}"
            if not whole.isprintable():
                raise BadInput(f"{folder}: expected file names of printable text, got {whole!a}")
            yield whole


def _raise(error: OSError) -> None:
    raise error


def _read(file: Path, canvas: Canvas) -> np.ndarray:
    if not file.name.lower().endswith(SUFFIXES):
        raise ValueError(f"expected an image ({' '.join(SUFFIXES)}), got a file of another name")
    with file.open("rb") as stream:
        return decode(stream, max_pixels=canvas.max_pixels)
