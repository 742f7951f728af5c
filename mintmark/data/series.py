"""Series data sets in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32, Int64

from mintmark.data.records import Form, RecordWriter, payload_array, read_form, tensor_column
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesSet:
    """Labelled and unlabelled series of one length, in memory.

    Attributes:
        ids: One id a record.
        codes: Class codes; -1 for an unlabelled record.
        values: All finite.
        classes: Class names in the order of their codes.
    """

    ids: Sequence[str]
    codes: Int64[np.ndarray, " n"]
    values: Float32[np.ndarray, "n time channels"]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)


def read_series(path: Path) -> SeriesSet:
    """Read a record file of series into memory.

    Raises:
        BadInput: the records are of another kind, there is none, one has no payload or a value that is not finite, or the
            file cannot be read.
    """
    form = read_form(path)
    if form.kind != "series":
        raise BadInput(f"{path}: expected records of kind 'series', got kind {form.kind!r}")
    table = pq.read_table(path, columns=["id", "label", "series"])
    if not len(table):
        raise BadInput(f"{path}: expected records, found none")
    lacking = np.flatnonzero(table.column("series").is_null().to_numpy())
    if len(lacking):
        raise BadInput(f"{path}: record {lacking[0]}: expected a series, got none in {len(lacking)} records")
    values = payload_array(table, "series")
    broken = np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))
    if len(broken):
        raise BadInput(f"{path}: record {broken[0]}: expected finite values, got others in {len(broken)} records")
    ids, codes = table.column("id").to_pylist(), form.codes(table.column("label"))
    return SeriesSet(ids=ids, codes=codes, values=values, classes=form.classes)


def write_series(path: Path, series: SeriesSet) -> None:
    """Write series as a record file, whole or not at all."""
    time, channels = series.values.shape[1:]
    form = Form(kind="series", classes=series.classes, shape=(time, channels))
    columns = [pa.array(list(series.ids), pa.string()), form.labels(series.codes), tensor_column(series.values)]
    with RecordWriter(path, form) as writer:
        writer.write(pa.RecordBatch.from_arrays(columns, schema=form.schema()))
