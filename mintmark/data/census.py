"""The two passes of ingestion: a census of a source, then its records in the canonical form.

The first pass finds what the records have in common (classes, counts, what cannot be read, which contents occur more
than once), the second gives ids and writes. Memory: a batch, and 8 bytes a record for the hashes that find repeated
contents (12 more for each repeated one). Knows nothing of files other than the one it writes.
"""

import json
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from jaxtyping import UInt64

from mintmark.data.labels import Labels
from mintmark.data.records import Form, RecordWriter, Role, record_id, tensor_column
from mintmark.data.source import Batch, Source
from mintmark.errors import BadInput
from mintmark.progress import track

MAX_CLASSES = 10_000  # more different labels than that are no classes: the label column is a wrong one

Unreadable = Literal["refuse", "keep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Census:
    """What the first pass found.

    Attributes:
        form: The form of the records.
        rows: How many there are.
        counts: Labelled records by label, in the order of the classes; labels that are no class come last.
        unlabelled: Records without a label.
        unreadable: Records without a payload: where each is in the source, and why it cannot be read.
        repeated: Hashes of the contents (or of the source's own ids) that occur more than once, sorted.
    """

    form: Form
    rows: int
    counts: Mapping[str, int]
    unlabelled: int
    unreadable: tuple[tuple[str, str], ...]
    repeated: UInt64[np.ndarray, " num_repeated"]


def take_census(
    source: Source, *, place: str, labels: Labels, roles: Mapping[str, Role], unreadable: Unreadable
) -> Census:
    """Read a source once and find what its records have in common.

    Args:
        source: Where the records come from.
        place: The source's name, for people.
        labels: How labels are read.
        roles: Roles of a table's columns.
        unreadable: "refuse": a row that cannot be read is an error; "keep": it becomes a record without a payload.

    Raises:
        BadInput: there are no rows, a row cannot be read and shall be refused, or there are too many labels.
    """
    counts: Counter[str | None] = Counter()
    faults: list[tuple[str, str]] = []
    hashes = array("Q")
    grouped = False
    for batch in track(source.batches(), "census", total=source.num_batches):
        faults += [(batch.where[row], reason) for row, reason in sorted(batch.broken.items())]
        if faults and unreadable == "refuse":
            raise BadInput(f"{place}: {faults[0][0]}: {faults[0][1]}")
        texts = [labels.read(label) for label in batch.labels]
        counts.update(texts)
        if len(counts) > MAX_CLASSES:
            raise BadInput(f"{place}: expected at most {MAX_CLASSES} different labels, got more: is it the label?")
        if batch.ids is not None and None in batch.ids:
            raise BadInput(f"{place}: {batch.where[batch.ids.index(None)]}: expected an id, found none")
        hashes.extend(_hashes(_first_ids(batch, _contents(batch), texts)))
        grouped = batch.groups is not None
    if not hashes:
        raise BadInput(f"{place}: expected at least one record, found none")
    num_unlabelled = counts.pop(None, 0)
    found = {str(label): count for label, count in counts.items()}
    classes = labels.settle(found)
    shape, columns = source.shape, dict(source.columns)
    return Census(
        form=Form(kind=source.kind, classes=classes, shape=shape, columns=columns, roles=roles, grouped=grouped),
        rows=len(hashes),
        counts={name: found.get(name, 0) for name in (*classes, *sorted(set(found) - set(classes)))},
        unlabelled=num_unlabelled,
        unreadable=tuple(faults),
        repeated=_repeated(hashes),
    )


def write_records(path: Path, *, source: Source, census: Census, place: str, labels: Labels) -> None:
    """Read a source a second time and write its records, whole or not at all.

    A record that could not be read has a null payload.

    Raises:
        BadInput: two rows have the same id of their own, or the source is not what it was in the first pass.
    """
    own_ids: dict[str, str] = {}
    seen = np.zeros(len(census.repeated), np.uint32)
    with RecordWriter(path, census.form) as writer:
        for batch in track(source.batches(), "ingest", total=source.num_batches):
            texts = [labels.read(label) for label in batch.labels]
            contents = _contents(batch)
            ids = _first_ids(batch, contents, texts)
            places = _places(ids, census.repeated)
            for row in np.flatnonzero(places >= 0).tolist():
                if batch.ids is None:
                    ids[row] = record_id(contents[row], texts[row], int(seen[places[row]]))
                    seen[places[row]] += 1
                else:
                    _check_new(own_ids, str(batch.ids[row]), batch.where[row], place)
            writer.write(_records(batch, ids if batch.ids is None else batch.ids, texts, census.form))
        if writer.rows != census.rows:
            raise BadInput(f"{place}: expected {census.rows} records again, got {writer.rows}: the source has changed")


def _first_ids(batch: Batch, contents: list[bytes], labels: list[str | None]) -> list[str]:
    """The ids that the rows would have if no content occurred twice; of a source's own ids, their hashes."""
    if batch.ids is not None:
        return [record_id(str(own_id).encode(), None, 0) for own_id in batch.ids]
    return [record_id(content, label, 0) for content, label in zip(contents, labels, strict=True)]


def _contents(batch: Batch) -> list[bytes]:
    """The bytes that each record's id is made of: its payload; where that cannot be read, its place."""
    if isinstance(batch.payload, np.ndarray):
        return [
            batch.where[row].encode() if row in batch.broken else payload.tobytes()
            for row, payload in enumerate(batch.payload)
        ]
    rows = zip(*(column.to_pylist() for column in batch.payload.columns), strict=True)
    return [json.dumps(row).encode() for row in rows]


def _repeated(hashes: array) -> np.ndarray:
    values = np.frombuffer(hashes, np.uint64)
    values.sort()
    return np.unique(values[1:][values[1:] == values[:-1]])


def _places(ids: list[str], repeated: np.ndarray) -> np.ndarray:
    """Each id's place among the repeated hashes; -1 for a content that occurs once."""
    if len(repeated) == 0:
        return np.full(len(ids), -1)
    hashes = np.array(_hashes(ids), np.uint64)
    places = np.minimum(np.searchsorted(repeated, hashes), len(repeated) - 1)
    return np.where(repeated[places] == hashes, places, -1)


def _hashes(ids: list[str]) -> list[int]:
    return [int(one[:16], 16) for one in ids]


def _check_new(own_ids: dict[str, str], own_id: str, where: str, place: str) -> None:
    if own_id in own_ids:
        found = f"{own_id!r} in {own_ids[own_id]} and in {where}"
        raise BadInput(f"{place}: expected ids unlike one another, got {found}")
    own_ids[own_id] = where


def _records(batch: Batch, ids: Sequence[str | None], labels: list[str | None], form: Form) -> pa.RecordBatch:
    columns = [pa.array(list(ids), pa.string()), pa.array(labels, pa.string())]
    if form.grouped:
        columns.append(pa.array(batch.groups, pa.string()))
    if isinstance(batch.payload, np.ndarray):
        columns.append(_with_nulls(tensor_column(batch.payload), list(batch.broken)))
    else:
        columns += batch.payload.columns
    return pa.RecordBatch.from_arrays(columns, schema=form.schema())


def _with_nulls(column: pa.Array, rows: list[int]) -> pa.Array:
    if not rows:
        return column
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    storage = column.storage
    nulled = pa.FixedSizeListArray.from_arrays(storage.values, type=storage.type, mask=pa.array(mask))
    return pa.ExtensionArray.from_storage(column.type, nulled)
