"""npz, NumPy's archive of arrays, read block by block without ever unpickling.

Images (rows, height, width[, channels]) or series (rows, time[, channels]), with labels one a row. Which array is
which follows from the names: the labels by theirs, the payload as the only other one that is not dropped.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import cast

import numpy as np

from mintmark.data.columns import Columns
from mintmark.data.records import Kind
from mintmark.data.rows import Mould, Rows, source_of_rows
from mintmark.data.source import Source
from mintmark.data.stored_array import CORRUPT, StoredArray, array_rows, check_paired
from mintmark.errors import BadInput

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def open_npz(path: Path, *, kind: Kind, columns: Columns, mould: Mould) -> Source:
    """The images or series of an npz file.

    Raises:
        BadInput: the file is missing or no archive, holds more than one candidate for the payload, holds Python
            objects, is truncated, or its labels are not one a row.
    """
    names = _names(path)
    payload_names = columns.payload(names, place=str(path))
    if len(payload_names) != 1:
        raise BadInput(
            f"{path}: expected one array beside the labels and those dropped, got {payload_names}; drop the others"
        )
    payload = read_header(path, name=payload_names[0])
    labels = None if columns.label is None else read_header(path, name=columns.label)
    axes = (3, 4) if kind == "image" else (2, 3)
    if payload.dtype.kind not in "iuf" or len(payload.shape) not in axes:
        raise BadInput(f"{payload.place}: expected numbers with {axes[0]} or {axes[1]} axes, got {_form(payload)}")
    check_paired(payload, labels)
    rows = Rows(read=lambda: array_rows(payload, labels), number=len(payload), files=lambda: iter([path]))
    return source_of_rows(rows, kind=kind, mould=mould, path=path)


def read_header(path: Path, *, name: str) -> StoredArray:
    """The array `name` of an npz file.

    Raises:
        BadInput: its header is broken, or it holds Python objects, or is in Fortran's order.
    """
    place = f"{path}: array {name!r}"
    try:
        with _member(path, name) as stream:
            shape, fortran, dtype = _header(stream, place)
    except (*CORRUPT, ValueError) as error:
        raise BadInput(f"{place}: expected a NumPy array, got {error}") from error
    if fortran or dtype.kind not in "biufUS" or not shape:
        order = "Fortran's order" if fortran else f"{dtype} of shape {shape}"
        raise BadInput(f"{place}: expected numbers or text, one a row, in C order, got {order}")

    @contextmanager
    def at_first_value() -> Iterator[BufferedIOBase]:
        with _member(path, name) as stream:
            _header(stream, place)
            yield stream

    return StoredArray(place=place, dtype=dtype, shape=shape, open=at_first_value)


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except FileNotFoundError as error:
        raise BadInput(f"{path}: expected an npz file, found none") from error
    except zipfile.BadZipFile as error:
        raise BadInput(f"{path}: expected an npz file, got something else ({error})") from error


@contextmanager
def _member(path: Path, name: str) -> Iterator[BufferedIOBase]:
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
        yield cast("BufferedIOBase", stream)


def _header(stream: BufferedIOBase, place: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise BadInput(f"{place}: expected NumPy's format 1.0 or 2.0, got {version}")
    return _HEADERS[version](stream)


def _form(array: StoredArray) -> str:
    return f"{array.dtype} of shape {array.shape}"
