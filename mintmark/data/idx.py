"""idx, the format of MNIST and its descendants: a magic number, sizes, and bytes; compressed by gzip or not.

Knows the official file names (train-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz and the like) and which labels
belong to which images. Knows nothing of any particular data set.
"""

import gzip
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from mintmark.data.pixels import Canvas
from mintmark.data.rows import Rows, source_of_rows
from mintmark.data.source import Source
from mintmark.data.stored_array import CORRUPT, StoredArray, array_rows, check_paired
from mintmark.errors import BadInput

Part = Literal["train", "test", "all"]

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_PREFIXES: dict[Part, tuple[str, ...]] = {"train": ("train",), "test": ("t10k", "test"), "all": ("",)}


def open_idx(path: Path, *, canvas: Canvas, part: Part, labelled: bool) -> Source:
    """Images in idx files: one file with its labels beside it, or the pairs in a folder, train before test.

    Args:
        path: A file of images, or a folder.
        canvas: The size and the channels wanted.
        part: Which pairs of a folder: those whose names start with "train", with "t10k" or "test", or all.
        labelled: Whether to read labels; without, every record is unlabelled.

    Raises:
        BadInput: a file is missing, has the wrong magic number, is truncated, or its labels are not one an image.
    """
    pairs = [_pair(images, labelled=labelled) for images in _image_files(path, part)]

    def rows() -> Iterator:
        prefixed = len(pairs) > 1
        parts = ((f"{file.name} " if prefixed else "", images, labels) for file, images, _, labels in pairs)
        return chain.from_iterable(array_rows(images, labels, prefix=prefix) for prefix, images, labels in parts)

    def files() -> Iterator[Path]:
        for images_file, _, labels_file, _ in pairs:
            yield images_file
            if labels_file is not None:
                yield labels_file

    number = sum(len(images) for _, images, _, _ in pairs)
    return source_of_rows(Rows(read=rows, number=number, files=files), kind="image", mould=canvas, path=path)


def labels_name(images_name: str) -> str:
    """The official name of the labels that belong to a file of images; the same name where it is not official."""
    return images_name.replace("images", "labels").replace("idx3", "idx1")


def read_header(path: Path) -> StoredArray:
    """The array that an idx file holds.

    Raises:
        BadInput: the file is missing, or its magic number is not that of idx.
    """
    try:
        with _open(path) as stream:
            zeros, code, num_axes = struct.unpack(">HBB", _exactly(stream, 4))
            if zeros != 0 or code not in _TYPES or num_axes < 1:
                magic = f"0x{zeros:04x}{code:02x}{num_axes:02x}"
                raise BadInput(f"{path}: expected an idx file (magic 0x0000ttnn), got magic {magic}")
            shape = struct.unpack(f">{num_axes}I", _exactly(stream, 4 * num_axes))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: expected an idx file, found none") from error
    except CORRUPT as error:
        raise BadInput(f"{path}: expected an idx file, got a truncated or corrupt one ({error})") from error

    @contextmanager
    def at_first_value() -> Iterator[BufferedIOBase]:
        with _open(path) as stream:
            _exactly(stream, 4 + 4 * num_axes)
            yield stream

    return StoredArray(place=str(path), dtype=np.dtype(_TYPES[code]), shape=shape, open=at_first_value)


def _image_files(path: Path, part: Part) -> list[Path]:
    if not path.is_dir():
        return [path]
    candidates = [file for file in path.iterdir() if file.is_file() and file.name.startswith(_PREFIXES[part])]
    images = [file for file in sorted(candidates) if "labels" not in file.name and _is_idx(file)]
    if not images:
        raise BadInput(f"{path}: expected idx files of images of the part {part!r}, found none")
    return sorted(images, key=lambda file: (not file.name.startswith("train"), file.name))


def _is_idx(file: Path) -> bool:
    return "idx" in file.name or file.name.endswith("ubyte")


def _pair(images_file: Path, *, labelled: bool) -> tuple[Path, StoredArray, Path | None, StoredArray | None]:
    images = read_header(images_file)
    if images.dtype.kind != "u" or len(images.shape) not in {3, 4}:
        found = f"{images.dtype.name} of shape {images.shape}"
        raise BadInput(f"{images_file}: expected images (bytes with 3 or 4 axes), got {found}")
    if not labelled:
        return images_file, images, None, None
    labels_file = images_file.with_name(labels_name(images_file.name))
    if labels_file == images_file or not labels_file.exists():
        raise BadInput(f"{images_file}: expected its labels beside it in {labels_name(images_file.name)}, found none")
    labels = read_header(labels_file)
    check_paired(images, labels)
    return images_file, images, labels_file, labels


def _exactly(stream: BufferedIOBase, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError(f"its header has {len(data)} of {size} bytes")
    return data


def _open(path: Path) -> BufferedIOBase:
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP_MAGIC
    return gzip.open(path, "rb") if compressed else path.open("rb")  # pyright: ignore[reportReturnType]
