"""Parquet as a source: Hugging Face's image struct, encoded images, tensors and nested lists, or a table.

A file, or a folder of files with one schema. Class names that a Hugging Face schema carries replace its codes. Knows
nothing of how pixels are decoded.
"""

import io
import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from mintmark.data.chunks import Chunk, source_of_table, table_type
from mintmark.data.columns import Columns
from mintmark.data.pixels import Canvas, decode
from mintmark.data.records import BATCH_ROWS, batches_of
from mintmark.data.rows import Row, Rows, SeriesMould, source_of_rows
from mintmark.data.source import Source, files_in
from mintmark.errors import BadInput

pc: Any = compute  # Arrow makes these functions as it loads: no type checker sees them

SUFFIXES = (".parquet",)
_BUFFER_BYTES = 1 << 20
_ROWS_OF_ARRAYS = 256  # a row may be a large image, whose size is known only once it is read


class ParquetFiles:
    """The Parquet files at a path, all with one schema.

    Raises:
        BadInput: there is no file, one is no Parquet, or two differ in their columns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = files_in(path, suffixes=SUFFIXES)
        self.schema = _opened(self.files[0]).schema_arrow
        self.num_rows = 0
        for file in self.files:
            opened = _opened(file)
            self.num_rows += opened.metadata.num_rows
            if not opened.schema_arrow.equals(self.schema):
                raise BadInput(f"{file}: expected the columns of {self.files[0].name}, got others")

    def chunks(self, names: list[str], *, rows: int) -> Iterator[Chunk]:
        """Yield the columns `names` in chunks of at most `rows`.

        Raises:
            BadInput: a file is corrupt.
        """
        for file in self.files:
            prefix = f"{file.relative_to(self.path).as_posix()} " if len(self.files) > 1 else ""
            first = 1
            try:
                for batch in batches_of(_opened(file), rows=rows, columns=names):
                    yield Chunk(file=file, prefix=prefix, first=first, columns=self._named(batch))
                    first += batch.num_rows
            except (pa.ArrowInvalid, OSError) as error:
                raise BadInput(f"{file}: expected a whole Parquet file, got {_one_line(error)}") from error

    def _named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the names of classes in place of their codes."""
        for name, classes in _class_names(self.schema).items():
            if name in batch.schema.names:
                known = [_class_name(code, classes) for code in batch.column(name).to_pylist()]
                place = batch.schema.get_field_index(name)
                batch = batch.set_column(place, pa.field(name, pa.string()), pa.array(known, pa.string()))
        return batch


def open_parquet_table(parquet: ParquetFiles, *, columns: Columns) -> Source:
    """A record a row, its columns as themselves.

    Raises:
        BadInput: a column is not there, has a name that records use themselves, or is of a type that no table holds.
    """
    names = columns.table_payload(parquet.schema.names, place=str(parquet.path))
    classes = _class_names(parquet.schema)
    types = {
        name: "string"
        if name in classes
        else table_type(parquet.schema.field(name).type, name=name, place=str(parquet.path))
        for name in names
    }
    read = [*names, *columns.named.values()]
    return source_of_table(
        lambda: parquet.chunks(read, rows=BATCH_ROWS),
        columns=columns,
        types=types,
        files=parquet.files,
        num_batches=math.ceil(parquet.num_rows / BATCH_ROWS),
    )


def open_parquet_images(parquet: ParquetFiles, *, columns: Columns, canvas: Canvas) -> Source:
    """An image a row: encoded bytes, alone or in a struct; or numbers, as tensors or nested lists.

    Raises:
        BadInput: there is more than one payload column, or no row that can be read.
    """
    return source_of_rows(
        _rows(parquet, columns, max_pixels=canvas.max_pixels), kind="image", mould=canvas, path=parquet.path
    )


def open_parquet_series(parquet: ParquetFiles, *, columns: Columns) -> Source:
    """A series a row: (time) or (time, channels), as tensors or nested lists.

    Raises:
        BadInput: there is more than one payload column, or no row that can be read.
    """
    return source_of_rows(_rows(parquet, columns, max_pixels=0), kind="series", mould=SeriesMould(), path=parquet.path)


def _rows(parquet: ParquetFiles, columns: Columns, *, max_pixels: int) -> Rows:
    names = columns.payload(parquet.schema.names, place=str(parquet.path))
    if len(names) != 1:
        raise BadInput(f"{parquet.path}: expected one payload column beside those named, got {names}; drop the others")

    def rows() -> Iterator[Row]:
        for chunk in parquet.chunks([*names, *columns.named.values()], rows=_ROWS_OF_ARRAYS):
            cells = chunk.columns.column(names[0])
            facts = (chunk.where(), chunk.texts(columns.label), chunk.texts(columns.group), chunk.texts(columns.id))
            for row, (where, label, group, own_id) in enumerate(zip(*facts, strict=True)):
                read = partial(_read, cells, row, max_pixels)
                yield Row(where=where, read=read, label=label, group=group, id=own_id)

    return Rows(
        read=rows,
        number=parquet.num_rows,
        files=lambda: iter(parquet.files),
        grouped=columns.group is not None,
        identified=columns.id is not None,
    )


def _read(cells: pa.Array, row: int, max_pixels: int) -> np.ndarray:
    if not cells[row].is_valid:
        raise ValueError("expected a value, got null")
    if isinstance(cells.type, pa.FixedShapeTensorType):
        return cast("pa.FixedShapeTensorArray", cells.slice(row, 1)).to_numpy_ndarray()[0]
    if pa.types.is_struct(cells.type) or _is_binary(cells.type):
        value = cells[row].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise ValueError("expected the bytes of an image, got none")
        return decode(io.BytesIO(data), max_pixels=max_pixels)
    return _unnested(cells.slice(row, 1))


def _unnested(cell: pa.Array) -> np.ndarray:
    """The one value of nested lists as an array."""
    shape: list[int] = []
    values = cell
    while _is_list(values.type):
        lengths = set(pc.unique(pc.list_value_length(values)).to_pylist())
        if len(lengths) != 1 or None in lengths:
            raise ValueError("expected lists of one length, got ragged ones")
        shape += lengths
        values = values.flatten()
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise ValueError(f"expected numbers, got {values.type}")
    return values.to_numpy(zero_copy_only=False).reshape(shape)  # a null becomes NaN


def _is_list(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """The class names that a Hugging Face schema gives for the codes of its columns."""
    facts: dict[str, Any] = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = facts.get("info", {}).get("features", {})
    return {name: one["names"] for name, one in features.items() if isinstance(one, dict) and one.get("names")}


def _class_name(code: int | None, classes: list[str]) -> str | None:
    if code is None or code < 0:  # Hugging Face writes -1 where a label is not known
        return None
    return classes[code] if code < len(classes) else str(code)


def _opened(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{file}: expected a Parquet file, got {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
