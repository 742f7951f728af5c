"""Chunks of columns on their way from a Parquet or CSV file to a source; and tables, whose columns stay as they are.

Knows Arrow's types and which of them a table record can hold. Knows nothing of files.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mintmark.data.columns import Columns
from mintmark.data.labels import text_of
from mintmark.data.source import Batch, Source
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Some rows of a file, by column.

    Attributes:
        file: The file they are from.
        prefix: The file's name and a space, where the source has several files; else empty.
        first: The number of the first of these rows in the file, counted from 1.
        columns: The values.
    """

    file: Path
    prefix: str
    first: int
    columns: pa.RecordBatch

    def where(self) -> list[str]:
        """Each row's place in the source, for people."""
        return [f"{self.prefix}row {self.first + row}" for row in range(self.columns.num_rows)]

    def texts(self, name: str | None) -> list[str | None]:
        """A column as text, None where it is null; all None without a name."""
        if name is None:
            return [None] * self.columns.num_rows
        return [text_of(value) for value in self.columns.column(name).to_pylist()]


def source_of_table(
    chunks: Callable[[], Iterator[Chunk]],
    *,
    columns: Columns,
    types: Mapping[str, str],
    files: list[Path],
    num_batches: int,
) -> Source:
    """The source whose records are the rows of a table.

    Args:
        chunks: Starts reading from the first row; a chunk holds at least the columns named here.
        columns: Which columns are label, group and id.
        types: The payload columns and their types, as `Form.columns`.
        files: The files that hold the table.
        num_batches: About how many chunks there are.
    """

    def batches() -> Iterator[Batch]:
        for chunk in chunks():
            payload = [_cast(chunk, name, kind) for name, kind in types.items()]
            yield Batch(
                payload=pa.RecordBatch.from_arrays(payload, names=list(types)),
                where=chunk.where(),
                labels=chunk.texts(columns.label),
                groups=None if columns.group is None else chunk.texts(columns.group),
                ids=None if columns.id is None else chunk.texts(columns.id),
            )

    return Source(kind="table", columns=types, batches=batches, num_batches=num_batches, files=lambda: iter(files))


def table_type(kind: pa.DataType, *, name: str, place: str) -> str:
    """The type in which a table record holds a column of an Arrow type.

    Raises:
        BadInput: the column holds neither numbers, text, truth values nor dates.
    """
    if pa.types.is_dictionary(kind):
        return table_type(kind.value_type, name=name, place=place)
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int64"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "double"
    if any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        return "string"
    if pa.types.is_temporal(kind) or pa.types.is_null(kind):
        return "string"
    raise BadInput(f"{place}: expected numbers, text, truth values or dates in column {name!r}, got {kind}; drop it")


def _cast(chunk: Chunk, name: str, kind: str) -> pa.Array:
    column = chunk.columns.column(name)
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return pc.cast(column, pa.type_for_alias(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        fault = " ".join(str(error).split())
        raise BadInput(f"{chunk.file}: expected {kind} in column {name!r}, got {fault}") from error
