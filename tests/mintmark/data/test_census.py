"""The two passes: what records have in common, then the records."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintmark.data import census as census_module
from mintmark.data.census import Unreadable, take_census, write_records
from mintmark.data.labels import Labels
from mintmark.data.records import payload_array, read_form, record_id
from mintmark.data.source import Batch, Source
from mintmark.errors import BadInput

LABELS = Labels(classes=None, unlabelled=("", "?"), strip="")


def batch(values: Sequence[int], labels: Sequence[str | None], **more: Any) -> Batch:
    """Images of one pixel."""
    payload = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    facts = {"groups": None, "ids": None, "where": [f"row {row + 1}" for row in range(len(values))]}
    return Batch(payload=payload, labels=labels, **facts | more)


def source(*batches: Batch) -> Source:
    return Source(
        kind="image", shape=(1, 1, 1), batches=lambda: iter(batches), num_batches=len(batches), files=lambda: iter([])
    )


def ingest(path: Path, some: Source, *, labels: Labels = LABELS, unreadable: Unreadable = "refuse"):
    census = take_census(some, place="x", labels=labels, roles={}, unreadable=unreadable)
    write_records(path, source=some, census=census, place="x", labels=labels)
    return census, pq.read_table(path)


def test_labels_are_counted_and_classes_found(tmp_path):
    census, table = ingest(tmp_path / "r.parquet", source(batch([1, 2, 3], ["b", " a", ""]), batch([4], ["b"])))
    assert census.form.classes == ("a", "b")
    assert dict(census.counts) == {"a": 1, "b": 2}
    assert (census.rows, census.unlabelled) == (4, 1)
    assert table.column("label").to_pylist() == ["b", "a", None, "b"]
    assert read_form(tmp_path / "r.parquet") == census.form
    np.testing.assert_array_equal(payload_array(table, "image").ravel(), [1, 2, 3, 4])


def test_a_label_that_is_no_class_is_kept_for_validation(tmp_path):
    labels = Labels(classes=("dog", "cat"), unlabelled=(), strip="")
    census, table = ingest(tmp_path / "r.parquet", source(batch([1, 2], ["cat", "dgo"])), labels=labels)
    assert census.form.classes == ("dog", "cat")
    assert dict(census.counts) == {"dog": 0, "cat": 1, "dgo": 1}
    assert table.column("label").to_pylist() == ["cat", "dgo"]


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None])), min_size=1, max_size=40),
    cut=st.integers(0, 40),
)
@settings(max_examples=40, deadline=None)
def test_ids_are_hashes_of_payload_label_and_occurrence(tmp_path_factory, rows, cut):
    parts = [batch(*zip(*part, strict=True)) for part in (rows[:cut], rows[cut:]) if part]
    _, table = ingest(tmp_path_factory.mktemp("census") / "r.parquet", source(*parts))
    before = Counter()
    expected = []
    for value, label in rows:
        expected.append(record_id(bytes([value]), label, before[value, label]))
        before[value, label] += 1
    assert table.column("id").to_pylist() == expected
    assert len(set(expected)) == len(rows)


def test_contents_that_share_a_hash_still_get_ids_of_their_own(tmp_path, monkeypatch):
    """A hash of 4 values makes collisions certain: occurrence numbers may skip, ids stay unlike one another."""
    monkeypatch.setattr(census_module, "_hashes", lambda ids: [int(one[0], 16) % 4 for one in ids])
    values = list(range(30)) * 2
    _, table = ingest(tmp_path / "r.parquet", source(batch(values, ["a"] * 60)))
    assert len(set(table.column("id").to_pylist())) == 60


def test_a_rows_own_id_is_kept(tmp_path):
    some = source(batch([1, 1], ["a", "a"], ids=["p7", "p8"], groups=["g", None]))
    census, table = ingest(tmp_path / "r.parquet", some)
    assert table.column("id").to_pylist() == ["p7", "p8"]
    assert table.column("group").to_pylist() == ["g", None]
    assert census.form.grouped


def test_own_ids_must_be_there_and_unlike_one_another(tmp_path):
    twice = source(batch([1, 2], ["a", "a"], ids=["p7", "p8"]), batch([3], ["a"], ids=["p7"], where=["row 3"]))
    with pytest.raises(BadInput, match="x: expected ids unlike one another, got 'p7' in row 1 and in row 3"):
        ingest(tmp_path / "r.parquet", twice)
    with pytest.raises(BadInput, match="x: row 2: expected an id, found none"):
        ingest(tmp_path / "r.parquet", source(batch([1, 2], ["a", "a"], ids=["p7", None])))
    assert list(tmp_path.iterdir()) == []


def test_unreadable_rows_are_refused_or_kept_without_payload(tmp_path):
    some = source(batch([0, 7, 0], ["a", "b", None], broken={0: "expected x, got y", 2: "expected z"}))
    with pytest.raises(BadInput, match=r"^x: row 1: expected x, got y$"):
        ingest(tmp_path / "r.parquet", some)
    census, table = ingest(tmp_path / "r.parquet", some, unreadable="keep")
    assert census.unreadable == (("row 1", "expected x, got y"), ("row 3", "expected z"))
    assert table.column("label").to_pylist() == ["a", "b", None]
    assert table.column("image").is_null().to_pylist() == [True, False, True]
    np.testing.assert_array_equal(payload_array(table.slice(1, 1), "image").ravel(), [7])
    assert len(set(table.column("id").to_pylist())) == 3


def test_tables_are_written_with_their_columns_and_roles(tmp_path):
    columns = {"age": "int64", "job": "string"}
    payload = pa.record_batch({"age": [1, 1, None], "job": ["x", "x", None]})
    one = Batch(payload=payload, labels=["a", "a", None], where=["row 1", "row 2", "row 3"], groups=None, ids=None)
    some = Source(kind="table", columns=columns, batches=lambda: iter([one]), num_batches=1, files=lambda: iter([]))
    census = take_census(some, place="x", labels=LABELS, roles={"age": "sensitive"}, unreadable="refuse")
    write_records(tmp_path / "r.parquet", source=some, census=census, place="x", labels=LABELS)
    table = pq.read_table(tmp_path / "r.parquet")
    assert table.select(["label", "age", "job"]).to_pylist()[1:] == [
        {"label": "a", "age": 1, "job": "x"},
        {"label": None, "age": None, "job": None},
    ]
    assert len(set(table.column("id").to_pylist())) == 3
    form = read_form(tmp_path / "r.parquet")
    assert (form.columns, form.roles) == (columns, {"age": "sensitive"})


def test_no_rows_too_many_labels_and_a_changed_source_are_refused(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="x: expected at least one record, found none"):
        ingest(tmp_path / "r.parquet", source())
    one, two = source(batch([1], ["a"])), source(batch([1, 2], ["a", "a"]))
    census = take_census(one, place="x", labels=LABELS, roles={}, unreadable="refuse")
    with pytest.raises(BadInput, match="expected 1 records again, got 2"):
        write_records(tmp_path / "r.parquet", source=two, census=census, place="x", labels=LABELS)
    monkeypatch.setattr(census_module, "MAX_CLASSES", 2)
    with pytest.raises(BadInput, match="at most 2 different labels"):
        ingest(tmp_path / "r.parquet", source(batch([1, 2, 3], ["a", "b", "c"])))
    assert list(tmp_path.iterdir()) == []
