"""The data as others read them: Hugging Face opens them with decoded images and named classes."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from mintmark.data.images import read_images
from mintmark.data.records import Form
from mintmark.errors import BadInput
from mintmark.release.dataset import write_dataset


def test_hugging_face_opens_the_file_with_decoded_images_and_named_classes(tmp_path, source, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    write_dataset(source, tmp_path / "data.parquet")
    opened = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "data.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    images = read_images(source)
    assert isinstance(opened.features["image"], datasets.Image)
    assert opened.features["label"].names == list(images.classes)
    assert len(opened) == len(images)
    for row in (0, 7, 58):
        assert opened[row]["image"].mode == "L"
        np.testing.assert_array_equal(np.asarray(opened[row]["image"]), images.images[row, :, :, 0])
        assert opened[row]["label"] == images.codes[row]
    assert opened[59]["label"] is None


def test_counts_and_first_images_describe_the_file(tmp_path, source):
    dataset = write_dataset(source, tmp_path / "data.parquet", first_per_class=3)
    assert dataset.rows == 60
    assert dataset.counts == {**dict.fromkeys("012345678", 6), "9": 5, "": 1}
    images = read_images(source)
    assert dataset.first_per_class == 3
    np.testing.assert_array_equal(dataset.first[:3], images.images[images.codes == 0][:3])
    np.testing.assert_array_equal(dataset.first[-3:], images.images[images.codes == 9][:3])


def test_no_id_goes_out_and_equal_inputs_give_equal_bytes(tmp_path, source):
    for name in ("a.parquet", "b.parquet"):
        write_dataset(source, tmp_path / name)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert pq.read_schema(tmp_path / "a.parquet").names == ["image", "label"]
    content = (tmp_path / "a.parquet").read_bytes()
    assert not any(one.encode() in content for one in read_images(source).ids)


def test_a_table_is_refused_by_name(tmp_path, write_records):
    path = tmp_path / "table.parquet"
    form = Form(kind="table", classes=("a",), columns={"x": "double"})
    write_records(path, form, payloads={"x": [1.0]}, labels=["a"])
    with pytest.raises(BadInput, match="expected images of 1 to 4 channels, got kind 'table'"):
        write_dataset(path, tmp_path / "data.parquet")
