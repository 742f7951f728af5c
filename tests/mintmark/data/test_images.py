"""Image sets in memory, and the tensors made of them."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mintmark.data.images import ImageSet, read_images, synthetic_ids, to_bytes, to_unit, write_images
from mintmark.data.records import Form, RecordWriter
from mintmark.errors import BadInput

IMAGES = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=4, max_dims=4, max_side=4))


@given(images=IMAGES, data=st.data())
@settings(max_examples=40, deadline=None)
def test_an_image_set_comes_back_as_it_was(tmp_path_factory, images, data):
    codes = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=len(images), max_size=len(images))), np.int64)
    ids = [str(row) for row in range(len(images))]
    before = ImageSet(ids=ids, codes=codes, images=images, classes=("a", "b", "c"))
    path = tmp_path_factory.mktemp("images") / "r.parquet"
    write_images(path, before)
    after = read_images(path)
    assert list(after.ids) == ids
    assert after.classes == before.classes
    assert after.shape == images.shape[1:]
    np.testing.assert_array_equal(after.codes, codes)
    np.testing.assert_array_equal(after.images, images)


def test_an_empty_set_comes_back_with_its_shape(tmp_path):
    nothing = ImageSet(ids=[], codes=np.zeros(0, np.int64), images=np.zeros((0, 2, 3, 1), np.uint8), classes=("a",))
    write_images(tmp_path / "r.parquet", nothing)
    assert len(read_images(tmp_path / "r.parquet")) == 0
    assert read_images(tmp_path / "r.parquet").shape == (2, 3, 1)


@given(images=IMAGES)
@settings(max_examples=40, deadline=None)
def test_pixels_survive_the_way_to_tensors_and_back(images):
    unit = to_unit(images)
    assert unit.shape == (len(images), images.shape[3], *images.shape[1:3])
    np.testing.assert_array_equal(to_bytes(unit), images)


def test_pixels_span_minus_one_to_one_and_are_clipped_back():
    unit = to_unit(np.array([0, 255], np.uint8).reshape(1, 1, 2, 1))
    assert unit.flatten().tolist() == [-1.0, 1.0]
    outside = torch.tensor([-2.0, 0.0, 2.0]).reshape(1, 1, 1, 3)
    assert to_bytes(outside).ravel().tolist() == [0, 128, 255]


def test_rows_are_taken_by_index_and_by_mask(digits):
    chosen = digits.take(np.array([5, 3]))
    assert list(chosen.ids) == [digits.ids[5], digits.ids[3]]
    np.testing.assert_array_equal(chosen.images, digits.images[[5, 3]])
    mask = digits.codes == 7
    assert len(digits.take(mask)) == mask.sum()


def test_labelled_leaves_out_records_without_a_label():
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1)
    some = ImageSet(ids=["x", "y", "z"], codes=np.array([0, -1, 1]), images=images, classes=("a", "b"))
    assert list(some.labelled().ids) == ["x", "z"]
    _, codes = some.tensors()
    assert codes.tolist() == [0, -1, 1]


def test_equal_synthetic_images_have_ids_of_their_own():
    images = np.zeros((3, 2, 2, 1), np.uint8)
    assert len({*synthetic_ids(images, first=0), *synthetic_ids(images, first=3)}) == 6


def test_another_kind_is_refused_by_name(tmp_path):
    form = Form(kind="table", classes=(), columns={"age": "int64"})
    with RecordWriter(tmp_path / "r.parquet", form) as writer:
        columns = [pa.array(["x"]), pa.nulls(1, pa.string()), pa.array([39])]
        writer.write(pa.RecordBatch.from_arrays(columns, schema=form.schema()))
    with pytest.raises(BadInput, match="got kind 'table', which this stage cannot serve"):
        read_images(tmp_path / "r.parquet")
