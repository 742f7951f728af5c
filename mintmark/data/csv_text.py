"""CSV files as chunks of clean text, and the types that such text can be read as.

Everything is read as text first: a type guessed from the first rows would fail on a later one. Knows quoting,
missing-value marks and ragged rows. Knows nothing of what the columns mean.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float64
from pyarrow import compute, csv

from mintmark.data.chunks import Chunk
from mintmark.data.source import files_in
from mintmark.errors import BadInput

pc: Any = compute  # Arrow makes these functions as it loads: no type checker sees them

BLOCK_BYTES = 1 << 20  # what is parsed at once, and the longest row; Arrow reads up to 32 blocks ahead
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")

_WHOLE = r"^-?(0|[1-9][0-9]{0,17})$"  # fits int64; no zero in front
_KEY = r"^[+-]?(0[0-9]+|[0-9]{16,})$"  # a postal code, an account: as a number it would lose digits
_CANDIDATES = ("int64", "double", "bool")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        delimiter: The character between two values.
        header: Whether the first line names the columns; else they are called "0", "1", ...
        missing: Values that mean "none", after white space is taken off.
    """

    delimiter: str
    header: bool
    missing: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1:
            raise ValueError(f"delimiter must be one character, got {self.delimiter!r}")


class CsvText:
    """The CSV files at a path, all with the same columns, as text without white space around it.

    Raises:
        BadInput: there is no file, it has no column, or two files differ in their columns.
    """

    def __init__(self, path: Path, *, dialect: Dialect) -> None:
        self.path = path
        self.files = files_in(path, suffixes=SUFFIXES)
        self._dialect = dialect
        self.names = self._header(self.files[0])
        self.num_chunks = sum(math.ceil(file.stat().st_size / BLOCK_BYTES) for file in self.files)
        for file in self.files[1:]:
            names = self._header(file)
            if names != self.names:
                raise BadInput(f"{file}: expected the columns of {self.files[0].name}, got {names}")

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows in order.

        Raises:
            BadInput: a row has another number of values than there are columns, or a file is no UTF-8 text.
        """
        for file in self.files:
            prefix = f"{file.relative_to(self.path).as_posix()} " if len(self.files) > 1 else ""
            first = 1
            for batch in self._batches(file):
                columns = [self._clean(column) for column in batch.columns]
                clean = pa.RecordBatch.from_arrays(columns, names=self.names)
                yield Chunk(file=file, prefix=prefix, first=first, columns=clean)
                first += batch.num_rows

    def num_rows(self) -> int:
        """How many rows there are; reads the files once."""
        return sum(chunk.columns.num_rows for chunk in self.chunks())

    def types(self, names: list[str]) -> dict[str, str]:
        """The narrowest type that takes every value of a column; reads all rows.

        In this order: int64, double, bool, string. A column without any value is string.
        """
        possible = {name: list(_CANDIDATES) for name in names}
        empty = set(names)
        for chunk in self.chunks():
            for name in names:
                column = chunk.columns.column(name)
                if column.null_count < len(column):
                    empty.discard(name)
                possible[name] = [kind for kind in possible[name] if _takes(column, kind)]
        return {name: "string" if name in empty or not possible[name] else possible[name][0] for name in names}

    def _clean(self, column: pa.Array) -> pa.Array:
        trimmed = pc.utf8_trim_whitespace(column)
        return pc.if_else(pc.is_in(trimmed, pa.array(self._dialect.missing, pa.string())), None, trimmed)

    def _header(self, file: Path) -> list[str]:
        with self._reader(file, names=[], ragged=lambda _: "skip") as reader:
            names = reader.schema.names
        return [name.strip() for name in names] if self._dialect.header else [str(i) for i in range(len(names))]

    def _batches(self, file: Path) -> Iterator[pa.RecordBatch]:
        with self._reader(file, names=[], ragged=lambda _: "skip") as reader:
            names = reader.schema.names  # as they are in the file, white space included
        faults: list[str] = []
        header = int(self._dialect.header)

        def ragged(row: csv.InvalidRow) -> Literal["error"]:
            number = f"row {row.number - header}"
            faults.append(f"{file}: {number}: expected {row.expected_columns} values, got {row.actual_columns}")
            return "error"

        try:
            with self._reader(file, names=names, ragged=ragged) as reader:
                yield from reader
        except BadInput as error:
            raise (BadInput(faults[0]) if faults else error) from error

    @contextmanager
    def _reader(
        self, file: Path, *, names: list[str], ragged: Callable[[csv.InvalidRow], Literal["error", "skip"]]
    ) -> Iterator[csv.CSVStreamingReader]:
        reading = csv.ReadOptions(
            use_threads=False, block_size=BLOCK_BYTES, autogenerate_column_names=not self._dialect.header
        )
        parsing = csv.ParseOptions(
            delimiter=self._dialect.delimiter, newlines_in_values=True, invalid_row_handler=ragged
        )
        text = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        try:
            with csv.open_csv(file, read_options=reading, parse_options=parsing, convert_options=text) as reader:
                yield reader
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInput(f"{file}: expected a CSV file, got {' '.join(str(error).split())}") from error


def numbers(chunk: Chunk, names: Sequence[str]) -> tuple[Float64[np.ndarray, "rows columns"], dict[int, str]]:
    """Columns of text as numbers, NaN where there is none; and for each row that has other text, what and where."""
    matrix = np.empty((chunk.columns.num_rows, len(names)))
    faults: dict[int, str] = {}
    for place, name in enumerate(names):
        column = chunk.columns.column(name)
        try:
            values = pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            values = pa.array(_one_by_one(column, name, faults), pa.float64())
        matrix[:, place] = pc.fill_null(values, math.nan).to_numpy()
    return matrix, faults


def _one_by_one(column: pa.Array, name: str, faults: dict[int, str]) -> list[float | None]:
    values: list[float | None] = []
    for row, text in enumerate(column.to_pylist()):
        try:
            values.append(pc.cast(pa.scalar(text, pa.string()), pa.float64()).as_py())
        except pa.ArrowInvalid:
            faults.setdefault(row, f"expected a number in column {name!r}, got {text!r:.40}")
            values.append(None)
    return values


def _takes(column: pa.Array, kind: str) -> bool:
    """Whether every value of a text column can be read as `kind` without loss of digits."""
    if kind == "int64":
        return pc.all(pc.match_substring_regex(column, _WHOLE)).as_py() is not False
    if kind == "double" and pc.any(pc.match_substring_regex(column, _KEY)).as_py():
        return False
    try:
        pc.cast(column, pa.type_for_alias(kind))
    except pa.ArrowInvalid:
        return False
    return True
