"""An array in a file, read block by block: what idx and npz have in common.

Knows shapes, bytes and truncation. Knows nothing of either format's header.
"""

import gzip
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import repeat

import numpy as np

from mintmark.data.labels import text_of
from mintmark.data.records import rows_at_once
from mintmark.data.rows import Row
from mintmark.errors import BadInput

CORRUPT = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredArray:
    """An array in C order.

    Attributes:
        place: The file, and the member within, for people.
        dtype: Its numbers, with their byte order.
        shape: Its shape; the first axis counts the rows.
        open: Opens the file at the first value.
    """

    place: str
    dtype: np.dtype
    shape: tuple[int, ...]
    open: Callable[[], AbstractContextManager[BufferedIOBase]]

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self) -> Iterator[np.ndarray]:
        """Yield the rows one by one.

        Raises:
            BadInput: the file ends before the last row, goes on after it, or is corrupt.
        """
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        size = rows_at_once(math.prod(self.shape[1:]))
        try:
            with self.open() as stream:
                for first in range(0, len(self), size):
                    count = min(size, len(self) - first)
                    data = stream.read(count * row_bytes)
                    if len(data) < count * row_bytes:
                        whole = first + len(data) // row_bytes
                        raise BadInput(f"{self.place}: expected {len(self)} rows, got only {whole}: it is truncated")
                    yield from np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])
                if stream.read(1):
                    raise BadInput(f"{self.place}: expected its end after {len(self)} rows, got more bytes")
        except CORRUPT as error:
            raise BadInput(f"{self.place}: expected a whole file, got a truncated or corrupt one ({error})") from error


def array_rows(payload: StoredArray, labels: StoredArray | None, *, prefix: str = "") -> Iterator[Row]:
    """Yield one row per entry of `payload`, with its label where there are labels."""
    names = repeat(None, len(payload)) if labels is None else (text_of(label.item()) for label in labels.rows())
    pairs = zip(payload.rows(), names, strict=True)  # strict: the labels are read to their end, which is checked
    for number, (values, label) in enumerate(pairs, start=1):
        yield Row(where=f"{prefix}row {number}", read=lambda values=values: values, label=label)


def check_paired(payload: StoredArray, labels: StoredArray | None) -> None:
    """Refuse labels that are not one a row.

    Raises:
        BadInput: there are more or fewer labels than rows, or several a row.
    """
    if labels is not None and (len(labels) != len(payload) or math.prod(labels.shape[1:]) != 1):
        raise BadInput(f"{labels.place}: expected {len(payload)} labels, one for each row, got shape {labels.shape}")
