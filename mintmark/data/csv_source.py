"""CSV files as a source: tables, images with a column a pixel, series with a column a time step, or long series.

A long series has one row a time step and one column a channel; it is cut into windows of equal length, none of which
crosses a change of file, group or label. Knows nothing of how the text is parsed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from mintmark.data.chunks import Chunk, source_of_table
from mintmark.data.columns import Columns
from mintmark.data.csv_text import CsvText, numbers
from mintmark.data.pixels import Canvas
from mintmark.data.rows import Row, Rows, SeriesMould, source_of_rows
from mintmark.data.source import Source
from mintmark.errors import BadInput


def open_csv_table(text: CsvText, *, columns: Columns) -> Source:
    """A record a row, its columns as themselves in the narrowest type that takes all their values.

    Raises:
        BadInput: a column is not there, or has a name that records use themselves.
    """
    names = columns.table_payload(text.names, place=str(text.path))
    return source_of_table(
        text.chunks, columns=columns, types=text.types(names), files=text.files, num_batches=text.num_chunks
    )


def open_csv_images(text: CsvText, *, columns: Columns, canvas: Canvas) -> Source:
    """An image a row: its pixels row by row, the channels of a pixel side by side.

    The canvas's size and channels say how a row folds; without a size the image must be square.

    Raises:
        BadInput: the number of pixel columns is not that of the size and the channels.
    """
    names = columns.payload(text.names, place=str(text.path))
    channels = canvas.channels or 1
    side = math.isqrt(len(names) // channels)
    shape = (*(canvas.size or (side, side)), channels)
    if not names or math.prod(shape) != len(names):
        wanted = " x ".join(str(one) for one in shape) if canvas.size else f"a square image of {channels} channels"
        raise BadInput(f"{text.path}: expected one column a pixel for {wanted}, got {len(names)} columns")
    rows = _rows(text, columns, names, shape)
    return source_of_rows(rows, kind="image", mould=canvas, path=text.path)


def open_csv_series(text: CsvText, *, columns: Columns) -> Source:
    """A series of one channel a row, its time steps in the order of the columns.

    Raises:
        BadInput: no column is left for the time steps.
    """
    names = columns.payload(text.names, place=str(text.path))
    if not names:
        raise BadInput(f"{text.path}: expected one column a time step, found none")
    rows = _rows(text, columns, names, (len(names), 1))
    return source_of_rows(rows, kind="series", mould=SeriesMould(), path=text.path)


def open_csv_windows(text: CsvText, *, columns: Columns, length: int) -> Source:
    """Windows of `length` rows, one after another without overlap, a channel a column.

    Rows at the end of a run that do not fill a window are left over, and counted.

    Raises:
        BadInput: no column is left for the channels, records shall have ids of their own, or no run is long enough.
    """
    names = columns.payload(text.names, place=str(text.path))
    if not names or columns.id is not None:
        found = "an id column, though a window has many rows" if names else "none"
        raise BadInput(f"{text.path}: expected one column a channel and no other, found {found}")
    runs = _Runs(columns=columns, names=names, length=length)
    for _ in runs.windows(text.chunks()):
        pass
    if runs.num_windows == 0:
        raise BadInput(f"{text.path}: expected a run of at least {length} rows, found none")

    def windows() -> Iterator[Row]:
        return _Runs(columns=columns, names=names, length=length).windows(text.chunks())

    rows = Rows(
        read=windows,
        number=runs.num_windows,
        files=lambda: iter(text.files),
        grouped=columns.group is not None,
        left_over=runs.num_rows - runs.num_windows * length,
    )
    return source_of_rows(rows, kind="series", mould=SeriesMould(), path=text.path)


def _rows(text: CsvText, columns: Columns, names: list[str], shape: tuple[int, ...]) -> Rows:
    def rows() -> Iterator[Row]:
        for chunk in text.chunks():
            matrix, faults = numbers(chunk, names)
            facts = (chunk.where(), chunk.texts(columns.label), chunk.texts(columns.group), chunk.texts(columns.id))
            for row, (where, label, group, own_id) in enumerate(zip(*facts, strict=True)):
                read = partial(_read, matrix[row].reshape(shape), faults.get(row))
                yield Row(where=where, read=read, label=label, group=group, id=own_id)

    return Rows(
        read=rows,
        number=text.num_rows(),
        files=lambda: iter(text.files),
        grouped=columns.group is not None,
        identified=columns.id is not None,
    )


def _read(values: np.ndarray, fault: str | None) -> np.ndarray:
    if fault is not None:
        raise ValueError(fault)
    return values


@dataclass(kw_only=True, slots=True)
class _Runs:
    """Cuts runs of rows of one file, group and label into windows, holding at most a window beside a chunk."""

    columns: Columns
    names: list[str]
    length: int
    num_rows: int = 0
    num_windows: int = 0
    _run: tuple[Path, str | None, str | None] | None = None
    _held: list[np.ndarray] = field(default_factory=list)
    _fault: str | None = None

    def windows(self, chunks: Iterator[Chunk]) -> Iterator[Row]:
        for chunk in chunks:
            matrix, faults = numbers(chunk, self.names)
            facts = (chunk.where(), chunk.texts(self.columns.label), chunk.texts(self.columns.group))
            for row, (where, label, group) in enumerate(zip(*facts, strict=True)):
                self.num_rows += 1
                if self._run != (chunk.file, label, group):
                    self._run = (chunk.file, label, group)
                    self._start()
                self._held.append(matrix[row])
                self._fault = self._fault or faults.get(row)
                if len(self._held) == self.length:
                    self.num_windows += 1
                    place = f"the {self.length} rows to {where}"
                    read = partial(_read, np.stack(self._held), self._fault)
                    yield Row(where=place, read=read, label=label, group=group)
                    self._start()

    def _start(self) -> None:
        self._held, self._fault = [], None
