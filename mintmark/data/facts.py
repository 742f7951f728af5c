"""Facts about each record of a file, computed in batches: what validation judges instead of the payloads.

Memory: about 100 bytes a record stay (a million records are 100 MB), plus one batch of payloads; a table's numeric
columns are read whole, one at a time. Knows no limit and no rule: what is wrong is said elsewhere.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64, Int64

from mintmark.data.equality import equal_sets, num_labels, payload_digests, repeats
from mintmark.data.records import Form, batch_rows, iter_batches, num_records, payload_array, read_form
from mintmark.errors import BadInput
from mintmark.progress import track

NORMAL_SCALE = 1.4826  # a normal sample's standard deviation over its median absolute deviation
MIN_STRATUM = 10  # fewer records show no spread of their own
UNLABELLED, UNKNOWN = -1, -2


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of every record of a file.

    Attributes:
        form: The form of the records.
        rows: One row a record, in the file's order. `label` (null where unlabelled); `readable` (1, or null where the
            payload is null); `non_finite` (infinite values in the payload; in a series NaN as well); `repeats` (1 where
            an equal record already says the same); `labels_of_equals` (how many labels the record and its equals
            carry). Images and series: `range`, `mean` and `spread` (standard deviation) of the payload's values, null
            where they are not all finite; `mean_z`, `spread_z` (see `robust_z`). Tables: `missing_share`
            (of the columns) and `column_z` (the largest `robust_z` over the numeric columns).
        missing: A table's missing values (null or NaN) by column.
        non_finite: A table's infinite values by column.
    """

    form: Form
    rows: pd.DataFrame
    missing: dict[str, int] = field(default_factory=dict)
    non_finite: dict[str, int] = field(default_factory=dict)


def read_facts(path: Path) -> Facts:
    """The facts of every record of a file.

    Raises:
        BadInput: the file is no record file, holds no record, or its columns are not those that its form states.
    """
    form = read_form(path)
    _check_columns(path, form)
    codes, names = _codes(path, form)
    strata = np.where(codes < len(form.classes), codes, UNKNOWN)
    missing, non_finite = Counter[str](), Counter[str]()
    if form.kind == "table":
        parts = [_table_facts(batch, form, missing, non_finite) for batch in _batches(path, form)]
    else:
        parts = [_tensor_facts(batch, form) for batch in _batches(path, form)]
    facts = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
    if form.kind == "table":
        facts["column_z"] = _column_z(path, form, strata)
    else:
        facts |= {f"{name}_z": robust_z(facts[name], strata=strata) for name in ("mean", "spread")}
    facts |= _equality_facts(facts.pop("digest"), strata, readable=~np.isnan(facts["readable"]))
    rows = pd.DataFrame({"label": pd.Categorical.from_codes(codes.tolist(), dtype=pd.CategoricalDtype(names)), **facts})
    return Facts(form=form, rows=rows, missing=dict(missing), non_finite=dict(non_finite))


def robust_z(values: Float64[np.ndarray, " n"], *, strata: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """How far each value lies from the median, in robust standard deviations (Iglewicz and Hoaglin 1993).

    The smaller of two: among all values, and among those of the same stratum, so that a rare class that differs from
    the rest as a whole is not outlying. NaN stays NaN; where more than half of the values are equal, or a stratum has
    fewer than `MIN_STRATUM` of them, no spread can be told and the result is 0.
    """
    smallest = _z(values, at_least=1)
    for stratum in np.unique(strata):
        mine = strata == stratum
        smallest[mine] = np.minimum(smallest[mine], _z(values[mine], at_least=MIN_STRATUM))
    return smallest


def _z(values: np.ndarray, *, at_least: int) -> np.ndarray:
    known = values[np.isfinite(values)]
    if len(known) < at_least or len(known) == 0:
        return np.where(np.isnan(values), np.nan, 0.0)
    median = np.median(known)
    scale = NORMAL_SCALE * np.median(np.abs(known - median))
    return np.abs(values - median) / scale if scale > 0 else np.where(np.isnan(values), np.nan, 0.0)


def _check_columns(path: Path, form: Form) -> None:
    expected, found = form.schema(), pq.read_schema(path)
    lacking = sorted(set(expected.names) - set(found.names))
    if lacking:
        raise BadInput(f"{path}: expected columns {expected.names}, lacks {lacking}")
    for column in expected:
        if found.field(column.name).type != column.type:
            kind = found.field(column.name).type
            raise BadInput(f"{path}: column {column.name!r} must be of type {column.type}, got {kind}")
    if num_records(path) == 0:
        raise BadInput(f"{path}: expected records, found none")


def _codes(path: Path, form: Form) -> tuple[Int64[np.ndarray, " n"], list[str]]:
    """Label codes, -1 where unlabelled, and the names they count: the classes, then whatever else stands as a label."""
    code_of = {name: code for code, name in enumerate(form.classes)}
    parts = []
    for batch in iter_batches(path, columns=["label"]):
        encoded = batch.column("label").dictionary_encode()
        local = [code_of.setdefault(name, len(code_of)) for name in encoded.dictionary.to_pylist()]
        indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        parts.append(np.array([*local, UNLABELLED], np.int64)[indices])  # index -1 finds the last
    return np.concatenate(parts), list(code_of)


def _batches(path: Path, form: Form) -> Iterator[pa.RecordBatch]:
    names = list(form.columns) if form.kind == "table" else [form.kind]
    rows = batch_rows(form)
    total = math.ceil(num_records(path) / rows)
    return track(iter_batches(path, rows=rows, columns=names), "facts", total=total)


def _tensor_facts(batch: pa.RecordBatch, form: Form) -> dict[str, np.ndarray]:
    """Facts of a batch of images or series; null payloads have none."""
    valid = batch.column(form.kind).is_valid()
    present = batch.filter(valid)
    readable = valid.to_numpy(zero_copy_only=False)
    values = payload_array(present, form.kind).reshape(present.num_rows, math.prod(form.shape))
    finite = np.isfinite(values)
    whole = finite.all(axis=1)
    good = values[whole].astype(np.float64)
    facts = {"range": np.ptp(good, axis=1), "mean": good.mean(axis=1), "spread": good.std(axis=1)}
    rows = np.flatnonzero(readable)
    spread_out = {name: _placed(fact, rows[whole], len(readable)) for name, fact in facts.items()}
    non_finite = np.zeros(len(readable), np.int32)
    non_finite[rows] = (~finite).sum(axis=1)
    digest = np.zeros((len(readable), 2), np.uint64)
    digest[rows] = payload_digests(present, form)
    return {"readable": np.where(readable, 1.0, np.nan), "non_finite": non_finite, "digest": digest, **spread_out}


def _placed(fact: np.ndarray, rows: np.ndarray, num_rows: int) -> np.ndarray:
    placed = np.full(num_rows, np.nan)
    placed[rows] = fact
    return placed


def _table_facts(
    batch: pa.RecordBatch, form: Form, missing: Counter[str], non_finite: Counter[str]
) -> dict[str, np.ndarray]:
    """Facts of a batch of table rows; adds each column's missing and infinite values to the two counters."""
    absent, infinite = np.zeros(batch.num_rows, np.int32), np.zeros(batch.num_rows, np.int32)
    for name in form.columns:
        column = batch.column(name)
        gone = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        absent += gone
        missing[name] += int(gone.sum())
        if pa.types.is_floating(column.type):
            endless = np.isinf(column.fill_null(0.0).to_numpy())
            infinite += endless
            non_finite[name] += int(endless.sum())
    return {
        "readable": np.ones(batch.num_rows),
        "non_finite": infinite,
        "missing_share": absent / max(1, len(form.columns)),
        "digest": payload_digests(batch, form),
    }


def _column_z(path: Path, form: Form, strata: np.ndarray) -> np.ndarray:
    """The largest robust z of each table row over the numeric columns, which are read one at a time."""
    largest = np.zeros(len(strata))
    for name in form.columns:
        column = pq.read_table(path, columns=[name]).column(name)
        if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
            values = column.cast(pa.float64(), safe=False).to_numpy()  # a null becomes NaN
            largest = np.fmax(largest, robust_z(np.where(np.isfinite(values), values, np.nan), strata=strata))
    return largest


def _equality_facts(digests: np.ndarray, strata: np.ndarray, *, readable: np.ndarray) -> dict[str, np.ndarray]:
    unread = np.flatnonzero(~readable)
    digests[unread, 0] = unread  # nothing is known to equal an unreadable record
    sets = equal_sets(digests)
    return {
        "repeats": repeats(strata, sets).astype(np.int8),
        "labels_of_equals": num_labels(strata, sets).astype(np.int16),
    }
