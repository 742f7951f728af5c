"""Parquet files: encoded images, tensors, nested lists, series and tables."""

import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mintmark.data.columns import Columns
from mintmark.data.parquet_source import (
    ParquetFiles,
    open_parquet_images,
    open_parquet_series,
    open_parquet_table,
)
from mintmark.data.pixels import Canvas
from mintmark.data.records import tensor_column
from mintmark.errors import BadInput

CANVAS = Canvas(size=None, channels=None, fit="pad", max_pixels=1000)
IMAGES = np.arange(3 * 4 * 2 * 3, dtype=np.uint8).reshape(3, 4, 2, 3)


def columns(**wanted) -> Columns:
    nothing = {"label": None, "group": None, "id": None, "drop": (), "sensitive": (), "quasi_identifier": ()}
    return Columns(**nothing | wanted)


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def write(path: Path, **arrays) -> Path:
    table = pa.table(arrays)
    pq.write_table(table, path)
    return path


def read_images(path: Path, **wanted):
    (batch,) = open_parquet_images(ParquetFiles(path), columns=columns(**wanted), canvas=CANVAS).batches()
    return batch


ENCODED = [png(image) for image in IMAGES]
FORMS = {
    "struct": pa.array([{"bytes": one, "path": None} for one in ENCODED]),
    "bytes": pa.array(ENCODED, pa.binary()),
    "tensor": tensor_column(IMAGES),
    "lists": pa.array(IMAGES.tolist(), pa.list_(pa.list_(pa.list_(pa.uint8())))),
    "wide lists": pa.array(IMAGES.tolist(), pa.list_(pa.list_(pa.list_(pa.int64())))),
    "fixed lists": pa.array(IMAGES.tolist(), pa.list_(pa.list_(pa.list_(pa.uint8(), 3), 2), 4)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_image_column_gives_the_same_pixels(tmp_path, form):
    batch = read_images(write(tmp_path / "x.parquet", image=FORMS[form], label=[2, None, 0]), label="label")
    np.testing.assert_array_equal(batch.payload, IMAGES)
    assert list(batch.labels) == ["2", None, "0"]


@pytest.mark.parametrize("form", FORMS)
def test_a_null_or_broken_image_loses_no_other(tmp_path, form):
    column = FORMS[form]
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    gapped = pa.concat_arrays([storage.slice(0, 1), pa.nulls(1, storage.type), storage.slice(2, 1)])
    if isinstance(column, pa.ExtensionArray):
        gapped = pa.ExtensionArray.from_storage(column.type, gapped)
    batch = read_images(write(tmp_path / "x.parquet", image=gapped))
    assert list(batch.broken) == [1]
    assert batch.where[1] == "row 2"
    np.testing.assert_array_equal(batch.payload[[0, 2]], IMAGES[[0, 2]])


def test_gray_lists_have_no_channel_axis_and_ragged_ones_are_broken(tmp_path):
    lists = pa.array([[[1, 2], [3, 4]], [[1, 2], [3]], [[1, 2], [3, 999]], [[1, 2], [3, None]]])
    batch = read_images(write(tmp_path / "x.parquet", image=lists))
    np.testing.assert_array_equal(batch.payload[0, :, :, 0], [[1, 2], [3, 4]])
    assert "ragged" in batch.broken[1]
    assert "from 0 to 255, got 999" in batch.broken[2]
    assert "from 0 to 255, got nan" in batch.broken[3]


def test_class_names_of_a_hugging_face_schema_replace_codes(tmp_path):
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    table = pa.table({"image": FORMS["struct"], "label": pa.array([1, 0, -1])})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "x.parquet")
    assert list(read_images(tmp_path / "x.parquet", label="label").labels) == ["dog", "cat", None]


def test_files_that_datasets_wrote_can_be_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [Image.fromarray(image) for image in IMAGES], "label": [1, 0, 1]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "x.parquet"))
    batch = read_images(tmp_path / "x.parquet", label="label")
    np.testing.assert_array_equal(batch.payload, IMAGES)
    assert list(batch.labels) == ["dog", "cat", "dog"]


def test_a_folder_is_read_in_order_and_must_have_one_schema(tmp_path):
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "b.parquet", image=FORMS["bytes"].slice(1), own=["y", "z"])
    write(tmp_path / "a.parquet", image=FORMS["bytes"].slice(0, 1), own=["x"])
    batch = read_images(tmp_path, id="own")
    assert list(batch.where) == ["a.parquet row 1", "sub/b.parquet row 1", "sub/b.parquet row 2"]
    assert list(batch.ids or ()) == ["x", "y", "z"]
    write(tmp_path / "c.parquet", image=FORMS["bytes"])
    with pytest.raises(BadInput, match=r"c.parquet: expected the columns of a.parquet"):
        ParquetFiles(tmp_path)


def test_series_of_one_and_of_several_channels(tmp_path):
    flat = pa.array([[1.0, 2.5], [3.0, None], [4.0, 5.0, 6.0]])
    source = open_parquet_series(ParquetFiles(write(tmp_path / "x.parquet", s=flat)), columns=columns())
    (batch,) = source.batches()
    assert source.shape == (2, 1)
    np.testing.assert_array_equal(batch.payload[:2, :, 0], [[1.0, 2.5], [3.0, np.nan]])
    assert batch.broken == {2: "expected a series of (time, channels) (2, 1), got (3, 1)"}
    values = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    path = write(tmp_path / "y.parquet", s=tensor_column(values))
    (batch,) = open_parquet_series(ParquetFiles(path), columns=columns()).batches()
    np.testing.assert_array_equal(batch.payload, values)


def test_a_table_keeps_its_columns_in_the_types_of_records(tmp_path):
    path = write(
        tmp_path / "x.parquet",
        small=pa.array([1, None], pa.int16()),
        real=pa.array([0.5, 1.5], pa.float32()),
        exact=pa.array([Decimal("1.25"), None], pa.decimal128(5, 2)),
        flag=[True, None],
        word=pa.array(["a", "b"]).dictionary_encode(),
        day=[dt.date(2024, 2, 29), None],
        nothing=pa.nulls(2),
        y=["no", "yes"],
    )
    source = open_parquet_table(ParquetFiles(path), columns=columns(label="y"))
    assert dict(source.columns) == {
        "small": "int64",
        "real": "double",
        "exact": "double",
        "flag": "bool",
        "word": "string",
        "day": "string",
        "nothing": "string",
    }
    (batch,) = source.batches()
    assert not isinstance(batch.payload, np.ndarray)
    assert batch.payload.to_pylist() == [
        {"small": 1, "real": 0.5, "exact": 1.25, "flag": True, "word": "a", "day": "2024-02-29", "nothing": None},
        {"small": None, "real": 1.5, "exact": None, "flag": None, "word": "b", "day": None, "nothing": None},
    ]


def test_a_table_cannot_hold_nested_columns_or_numbers_beyond_64_bits(tmp_path):
    path = write(tmp_path / "x.parquet", a=[1], b=[[1, 2]])
    with pytest.raises(BadInput, match="in column 'b', got list"):
        open_parquet_table(ParquetFiles(path), columns=columns())
    path = write(tmp_path / "y.parquet", a=pa.array([2**64 - 1], pa.uint64()))
    with pytest.raises(BadInput, match=r"y.parquet: expected int64 in column 'a'"):
        list(open_parquet_table(ParquetFiles(path), columns=columns()).batches())


def test_more_than_one_payload_column_is_refused(tmp_path):
    path = write(tmp_path / "x.parquet", image=FORMS["bytes"], other=[1, 2, 3])
    with pytest.raises(BadInput, match="expected one payload column"):
        read_images(path)
    np.testing.assert_array_equal(read_images(path, drop=("other",)).payload, IMAGES)


def test_what_is_no_whole_parquet_is_refused(tmp_path):
    with pytest.raises(BadInput, match="found none"):
        ParquetFiles(tmp_path / "x.parquet")
    with pytest.raises(BadInput, match=r"files that end in .parquet, found none"):
        ParquetFiles(tmp_path)
    (tmp_path / "x.parquet").write_text("hello")
    with pytest.raises(BadInput, match=r"x.parquet: expected a Parquet file"):
        ParquetFiles(tmp_path / "x.parquet")
    path = write(tmp_path / "x.parquet", image=FORMS["bytes"])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadInput, match=r"x.parquet: expected a Parquet file"):
        ParquetFiles(path)


def test_a_corrupt_page_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": np.arange(10_000)}), path, compression="gzip", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[200:400] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"x.parquet: expected a whole Parquet file"):
        list(open_parquet_table(ParquetFiles(path), columns=columns()).batches())
