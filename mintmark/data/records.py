"""The canonical form of a data set: one Parquet file whose metadata says what its records are.

Columns: `id` (string), `label` (string; null means unlabelled), `group` (string; only where records come in groups),
and the payload: `image` as fixed_shape_tensor of uint8 (height, width, channels), `series` as fixed_shape_tensor of
float32 (time, channels), or a table's columns as themselves. Streams: no function here holds more than a batch, except
those that say "in memory". Knows nothing of where records come from.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mintmark.errors import BadInput
from mintmark.files import whole_file

Kind = Literal["image", "table", "series"]
Role = Literal["label", "sensitive", "quasi-identifier", "feature"]

BATCH_ROWS = 4096
BATCH_VALUES = 1 << 22  # a batch of large payloads has fewer rows, so that it fits into memory even as float64
PAYLOAD_TYPES = {"image": pa.uint8(), "series": pa.float32()}
RESERVED_COLUMNS = ("id", "label", "group")
_METADATA_KEY = b"mintmark"


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What the records of a data set are.

    Attributes:
        kind: "image", "table" or "series".
        classes: Label names in the order of their codes; empty where no record is labelled.
        shape: (height, width, channels) of an image or (time, channels) of a series; empty for a table.
        columns: A table's payload columns and their Arrow types as strings ("double", "string", "int64", "bool").
        roles: A table column's role, where it is more than a feature.
        grouped: Whether records carry a `group` that must not straddle splits.
    """

    kind: Kind
    classes: tuple[str, ...]
    shape: tuple[int, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    grouped: bool = False

    def schema(self) -> pa.Schema:
        """The Arrow schema of a file of such records, with this form in its metadata."""
        columns = [pa.field("id", pa.string(), nullable=False), pa.field("label", pa.string())]
        if self.grouped:
            columns.append(pa.field("group", pa.string()))
        if self.kind == "table":
            columns += [pa.field(name, pa.type_for_alias(kind)) for name, kind in self.columns.items()]
        else:
            columns.append(pa.field(self.kind, pa.fixed_shape_tensor(PAYLOAD_TYPES[self.kind], self.shape)))
        return pa.schema(columns, metadata={_METADATA_KEY: json.dumps(asdict(self), sort_keys=True).encode()})

    def codes(self, labels: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Labels as int64 codes, -1 for an unlabelled record.

        Raises:
            BadInput: a label is not among the classes.
        """
        code_of = {name: code for code, name in enumerate(self.classes)} | {None: -1}
        try:
            return np.array([code_of[label] for label in labels.to_pylist()], dtype=np.int64)
        except KeyError as error:
            raise BadInput(f"label must be one of {list(self.classes)}, got {error.args[0]!r}") from error

    def labels(self, codes: np.ndarray) -> pa.Array:
        """Codes as an Arrow array of label names, null for -1."""
        return pa.array([None if code < 0 else self.classes[code] for code in codes.tolist()], pa.string())


def record_id(payload: bytes, label: str | None, occurrence: int) -> str:
    """A record's id: a hash of its payload, its label, and how many equal records came before it."""
    digest = hashlib.sha256(payload)
    digest.update(b"\x00" if label is None else b"\x01" + label.encode())
    digest.update(occurrence.to_bytes(8, "little"))
    return digest.hexdigest()[:32]


class RecordWriter:
    """Write batches to one Parquet file, which appears whole when the `with` block ends and not at all if it raises."""

    def __init__(self, path: Path, form: Form) -> None:
        self.schema = form.schema()
        self.rows = 0
        self._path = path

    def __enter__(self) -> "RecordWriter":  # noqa: PYI034 - beartype checks methods one by one
        with ExitStack() as stack:
            partial = stack.enter_context(whole_file(self._path))
            self._writer = stack.enter_context(pq.ParquetWriter(partial, self.schema, compression="zstd"))
            self._stack = stack.pop_all()
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch whose columns equal the schema's."""
        if batch.num_rows == 0:
            return  # it would leave an empty row group
        self.rows += batch.num_rows
        self._writer.write_batch(batch.cast(self.schema) if batch.schema != self.schema else batch)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)  # closes the file, which may fail as well, then keeps it or not


def read_form(path: Path) -> Form:
    """The form that a file's metadata states.

    Raises:
        BadInput: the file is missing, is not Parquet, or was not written by `RecordWriter`.
    """
    stored = (_open(path).schema_arrow.metadata or {}).get(_METADATA_KEY)
    if stored is None:
        raise BadInput(f"{path}: expected a record file with Mintmark metadata, got plain Parquet")
    facts = json.loads(stored)
    facts["classes"], facts["shape"] = tuple(facts["classes"]), tuple(facts["shape"])
    return Form(**facts)


def num_records(path: Path) -> int:
    """How many records a file holds."""
    return _open(path).metadata.num_rows


def batch_rows(form: Form) -> int:
    """How many records of a form to hold at once: `BATCH_ROWS`, or fewer where payloads are large."""
    return rows_at_once(math.prod(form.shape))


def rows_at_once(num_values: int) -> int:
    """How many rows of so many values to hold at once: at most `BATCH_ROWS` of them, at most `BATCH_VALUES` values."""
    return max(1, min(BATCH_ROWS, BATCH_VALUES // max(1, num_values)))


def iter_batches(path: Path, *, rows: int = BATCH_ROWS, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield a file's records in batches of at most `rows`."""
    yield from batches_of(_open(path), rows=rows, columns=columns)


def batches_of(file: pq.ParquetFile, *, rows: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file's rows in batches of at most `rows`, holding one row group at a time.

    One call of Arrow's own `iter_batches` for all row groups holds every group that it has read until the end.
    """
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=rows, columns=columns, row_groups=[group], use_threads=False)


def payload_array(batch: pa.RecordBatch | pa.Table, kind: Kind) -> np.ndarray:
    """A batch's payload as one array: (N, H, W, C) uint8 for images, (N, T, C) float32 for series."""
    column = batch.column(kind)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return cast("pa.FixedShapeTensorArray", column).to_numpy_ndarray()


def tensor_column(payload: np.ndarray) -> pa.Array:
    """The inverse of `payload_array`: an Arrow fixed_shape_tensor column."""
    kind = pa.fixed_shape_tensor(pa.from_numpy_dtype(payload.dtype), payload.shape[1:])
    values = pa.array(
        payload.flatten()
    )  # row by row whatever its layout in memory, which Arrow's own way would ask for
    return pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(values, type=kind.storage_type))


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise BadInput(f"{path}: expected a Parquet file, found none") from error
    except pa.ArrowInvalid as error:
        raise BadInput(f"{path}: expected a Parquet file, got {error}") from error
