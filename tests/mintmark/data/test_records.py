"""Records go through Parquet unchanged, whole or not at all."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mintmark.data import records
from mintmark.data.records import (
    Form,
    RecordWriter,
    batch_rows,
    iter_batches,
    num_records,
    payload_array,
    read_form,
    record_id,
    rows_at_once,
    tensor_column,
)
from mintmark.errors import BadInput

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
LABELS = st.one_of(st.none(), NAMES)
COLUMNS = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "string": st.text(st.characters(codec="utf-8"), max_size=8),
    "bool": st.booleans(),
}


@st.composite
def payloads(draw, kind: str) -> np.ndarray:
    """One to five images or series of any shape."""
    number, axes = draw(st.integers(1, 5)), {"image": 3, "series": 2}[kind]
    shape = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    dtype = {"image": np.uint8, "series": np.float32}[kind]
    return draw(arrays.arrays(dtype, (number, *shape)))


@st.composite
def tables(draw) -> tuple[dict[str, str], list[dict]]:
    """Columns and one to five rows; any value may be missing."""
    names = draw(st.lists(NAMES.filter(lambda one: one not in records.RESERVED_COLUMNS), unique=True, max_size=4))
    columns = {name: draw(st.sampled_from(sorted(COLUMNS))) for name in names}
    row = st.fixed_dictionaries({name: st.none() | COLUMNS[kind] for name, kind in columns.items()})
    return columns, draw(st.lists(row, min_size=1, max_size=5))


def write(path: Path, form: Form, labels: list, payload: list[pa.Array], groups: list | None = None) -> None:
    ids = [f"{row}" for row in range(len(labels))]
    columns = [pa.array(ids), pa.array(labels, pa.string()), *([pa.array(groups, pa.string())] if groups else [])]
    with RecordWriter(path, form) as writer:
        writer.write(pa.RecordBatch.from_arrays([*columns, *payload], schema=form.schema()))


@pytest.mark.parametrize("kind", ["image", "series"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_images_and_series_come_back_as_they_were(tmp_path_factory, kind, data):
    payload = data.draw(payloads(kind))
    labels = data.draw(st.lists(LABELS, min_size=len(payload), max_size=len(payload)))
    groups = data.draw(st.none() | st.lists(LABELS, min_size=len(payload), max_size=len(payload)))
    classes = tuple(sorted({label for label in labels if label is not None}))
    form = Form(kind=kind, classes=classes, shape=payload.shape[1:], grouped=groups is not None)
    path = tmp_path_factory.mktemp("records") / "r.parquet"
    write(path, form, labels, [tensor_column(payload)], groups)
    assert read_form(path) == form
    assert num_records(path) == len(payload)
    table = pq.read_table(path)
    np.testing.assert_array_equal(payload_array(table, kind), payload)
    assert table.column("label").to_pylist() == labels
    assert form.labels(form.codes(table.column("label"))).to_pylist() == labels
    if groups:
        assert table.column("group").to_pylist() == groups


@given(data=tables())
@settings(max_examples=40, deadline=None)
def test_tables_come_back_as_they_were(tmp_path_factory, data):
    columns, rows = data
    form = Form(kind="table", classes=("a",), columns=columns, roles=dict.fromkeys(columns, "sensitive"))
    path = tmp_path_factory.mktemp("records") / "r.parquet"
    values = [pa.array([row[name] for row in rows], pa.type_for_alias(kind)) for name, kind in columns.items()]
    write(path, form, ["a"] * len(rows), values)
    assert read_form(path) == form
    assert pq.read_table(path).select(list(columns)).to_pylist() == rows


def test_tensors_are_stored_as_others_can_read_them(tmp_path):
    images = np.arange(12, dtype=np.uint8).reshape(2, 3, 2, 1)
    write(
        tmp_path / "r.parquet", Form(kind="image", classes=(), shape=(3, 2, 1)), [None, None], [tensor_column(images)]
    )
    kind = pq.read_schema(tmp_path / "r.parquet").field("image").type
    assert kind.extension_name == "arrow.fixed_shape_tensor"
    assert kind.shape == [3, 2, 1]


@given(payload=payloads("image"), axis=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_a_tensor_column_does_not_depend_on_the_layout_in_memory(payload, axis):
    turned = np.moveaxis(np.ascontiguousarray(np.moveaxis(payload, axis, 0)), 0, axis)
    column = tensor_column(turned)
    np.testing.assert_array_equal(column.to_numpy_ndarray(), payload)


def test_a_column_of_no_tensors_keeps_their_shape():
    column = tensor_column(np.zeros((0, 2, 3), np.float32))
    assert column.type == pa.fixed_shape_tensor(pa.float32(), (2, 3))
    assert len(column) == 0


def test_an_id_is_a_hash_of_payload_label_and_occurrence():
    expected = hashlib.sha256(b"pixels" + b"\x01cat" + (3).to_bytes(8, "little")).hexdigest()[:32]
    assert record_id(b"pixels", "cat", 3) == expected


@given(
    first=st.tuples(st.binary(max_size=4), LABELS, st.integers(0, 300)),
    second=st.tuples(st.binary(max_size=4), LABELS, st.integers(0, 300)),
)
@settings(max_examples=200, deadline=None)
def test_ids_differ_where_records_differ(first, second):
    same_length = len(first[0]) == len(second[0])  # payloads of one data set are of one length
    assert (record_id(*first) == record_id(*second)) == (first == second) or not same_length


def test_an_unknown_label_has_no_code():
    form = Form(kind="image", classes=("a", "b"), shape=(1, 1, 1))
    assert form.codes(pa.array(["b", None, "a"])).tolist() == [1, -1, 0]
    with pytest.raises(BadInput, match=r"label must be one of \['a', 'b'\], got 'c'"):
        form.codes(pa.array(["a", "c"]))


def test_batches_are_smaller_where_payloads_are_large(tmp_path):
    assert rows_at_once(0) == records.BATCH_ROWS
    assert rows_at_once(records.BATCH_VALUES * 9) == 1
    form = Form(kind="image", classes=(), shape=(1024, 1024, 2))
    assert batch_rows(form) == records.BATCH_VALUES // math.prod(form.shape) == 2
    images = np.zeros((5, 1, 1, 1), np.uint8)
    write(tmp_path / "r.parquet", Form(kind="image", classes=(), shape=(1, 1, 1)), [None] * 5, [tensor_column(images)])
    batches = list(iter_batches(tmp_path / "r.parquet", rows=2, columns=["label", "image"]))
    assert [batch.num_rows for batch in batches] == [2, 2, 1]
    assert batches[0].schema.names == ["label", "image"]


def test_reading_holds_one_row_group_at_a_time(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (50, 100, 100, 1), dtype=np.uint8)
    form = Form(kind="image", classes=(), shape=(100, 100, 1))
    columns = [pa.array([str(row) for row in range(50)]), pa.nulls(50, pa.string()), tensor_column(images)]
    batch = pa.RecordBatch.from_arrays(columns, schema=form.schema())
    peaks = []
    for groups in (5, 25):
        with RecordWriter(tmp_path / "r.parquet", form) as writer:
            for _ in range(groups):
                writer.write(batch)
        held = [pa.total_allocated_bytes() for _ in iter_batches(tmp_path / "r.parquet", rows=25)]
        assert len(held) == 2 * groups
        peaks.append(max(held))
    assert peaks[1] - peaks[0] < 2 * images.nbytes  # of 20 more


def test_a_writer_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path):
    form = Form(kind="image", classes=(), shape=(1, 1, 1))
    (tmp_path / "r.parquet").write_text("before")
    with pytest.raises(RuntimeError, match="killed"), RecordWriter(tmp_path / "r.parquet", form):
        raise RuntimeError("killed")
    assert (tmp_path / "r.parquet").read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["r.parquet"]


def test_a_writer_that_cannot_close_its_file_leaves_nothing(tmp_path, monkeypatch):
    def full(writer) -> None:
        raise OSError("No space left on device")

    with (
        pytest.raises(OSError, match="No space left"),
        RecordWriter(tmp_path / "r.parquet", Form(kind="image", classes=(), shape=(1, 1, 1))) as writer,
    ):
        monkeypatch.setattr(type(writer._writer), "close", full)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_record_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="expected a Parquet file, found none"):
        read_form(tmp_path / "r.parquet")
    (tmp_path / "r.parquet").write_text("hello")
    with pytest.raises(BadInput, match="expected a Parquet file, got"):
        read_form(tmp_path / "r.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "r.parquet")
    with pytest.raises(BadInput, match="with Mintmark metadata, got plain Parquet"):
        read_form(tmp_path / "r.parquet")
