"""Rows of images or series, read one by one and gathered into batches of one shape.

Knows how arrays of one shape come about, and that one unreadable row must not lose the rest. Knows nothing of files:
a reader hands over a function that reads the row.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from mintmark.data.records import Kind, rows_at_once
from mintmark.data.source import Batch, Source
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a source, not read yet.

    Attributes:
        where: Its place in the source, for people.
        read: Reads the payload; raises ValueError with what was expected and what was found.
        label: Its label as the source has it.
        group: Its group, where the source has groups.
        id: Its own id, where the source has ids.
    """

    where: str
    read: Callable[[], np.ndarray]
    label: str | None
    group: str | None = None
    id: str | None = None


@runtime_checkable
class Mould(Protocol):
    """How a payload gets the shape that all share."""

    def shape_of(self, first: np.ndarray) -> tuple[int, ...]:
        """The shape of all payloads, given the first that can be read."""
        ...

    def place(self, payload: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
        """The payload in that shape; raises ValueError where it has another."""
        ...


class SeriesMould:
    """Series (time, channels) as float32; all must have the length and the channels of the first."""

    def shape_of(self, first: np.ndarray) -> tuple[int, ...]:
        """(time, channels); a flat array is one channel."""
        return (len(first), 1) if first.ndim == 1 else first.shape

    def place(self, payload: np.ndarray, *, shape: tuple[int, ...]) -> Float32[np.ndarray, "time channels"]:
        """The series as float32.

        Raises:
            ValueError: its length or its channels differ from those of the first.
        """
        found = self.shape_of(payload)
        if found != shape or len(shape) != 2:
            raise ValueError(f"expected a series of (time, channels) {shape}, got {found}")
        with np.errstate(over="ignore"):  # too large a number becomes infinite, which validation sees
            return payload.reshape(shape).astype(np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """The rows of a source, and which of their facts the source has.

    Attributes:
        read: Starts reading from the first row.
        number: About how many there are, for a progress bar.
        files: The files that hold them, in a fixed order.
        grouped: Whether rows have a group.
        identified: Whether rows have an id of their own.
        left_over: Rows of the source that are in none of these.
    """

    read: Callable[[], Iterator[Row]]
    number: int
    files: Callable[[], Iterator[Path]]
    grouped: bool = False
    identified: bool = False
    left_over: int = 0


def source_of_rows(rows: Rows, *, kind: Kind, mould: Mould, path: Path) -> Source:
    """The source whose records are these rows.

    Raises:
        BadInput: there is no row, or none that can be read.
    """
    shape = _first_shape(rows, mould, path)
    dtype = np.uint8 if kind == "image" else np.float32
    size = rows_at_once(math.prod(shape))

    def batches() -> Iterator[Batch]:
        some = rows.read()
        while chunk := list(islice(some, size)):
            payload = np.zeros((len(chunk), *shape), dtype)
            broken = {}
            for place, row in enumerate(chunk):
                try:
                    payload[place] = mould.place(row.read(), shape=shape)
                except ValueError as error:
                    broken[place] = str(error)
            yield Batch(
                payload=payload,
                where=[row.where for row in chunk],
                labels=[row.label for row in chunk],
                groups=[row.group for row in chunk] if rows.grouped else None,
                ids=[row.id for row in chunk] if rows.identified else None,
                broken=broken,
            )

    number = math.ceil(rows.number / size)
    return Source(
        kind=kind, shape=shape, batches=batches, num_batches=number, files=rows.files, left_over=rows.left_over
    )


def _first_shape(rows: Rows, mould: Mould, path: Path) -> tuple[int, ...]:
    fault = f"{path}: expected at least one record, found none"
    for place, row in enumerate(rows.read()):
        try:
            return mould.shape_of(row.read())
        except ValueError as error:
            if place == 0:
                fault = f"{path}: {row.where}: {error}"
    raise BadInput(fault)
