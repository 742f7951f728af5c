"""Which records are equal, and what that says about their labels."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintmark.data.equality import equal_sets, num_labels, payload_digests, repeats
from mintmark.data.images import image_batch
from mintmark.data.records import Form


def test_equal_payloads_and_no_others_share_a_digest(toy_images):
    images = toy_images(num=30)
    twice = images.take(np.array([*range(30), 7, 7]))
    form = Form(kind="image", classes=images.classes, shape=images.shape)
    sets = equal_sets(payload_digests(image_batch(twice, form), form))
    assert sets[7] == sets[30] == sets[31]
    assert len(set(sets.tolist())) == 30


def test_a_digest_depends_on_the_payload_alone(toy_images):
    images = toy_images(num=6)
    form = Form(kind="image", classes=images.classes, shape=images.shape)
    batch = image_batch(images, form)
    other = batch.set_column(1, "label", pa.nulls(6, pa.string())).set_column(0, "id", pa.array(["x"] * 6))
    assert payload_digests(batch, form).tolist() == payload_digests(other, form).tolist()
    assert payload_digests(batch.slice(2, 3), form).tolist() == payload_digests(batch, form)[2:5].tolist()


def test_table_rows_differ_by_any_value_and_by_its_absence():
    form = Form(kind="table", classes=(), columns={"size": "double", "city": "string"})
    size = pa.array([1.0, 1.0, np.nextafter(1.0, 2.0), None, None, np.nan], from_pandas=False)
    city = pa.array(["a", "a", "a", "a", "None", "a"])
    sets = equal_sets(payload_digests(pa.RecordBatch.from_arrays([size, city], names=["size", "city"]), form))
    assert sets[0] == sets[1]
    assert len(set(sets.tolist())) == 5


@pytest.mark.parametrize(
    ("codes", "repeated", "labels"),
    [
        ([0, 0, 0], [False, True, True], [1, 1, 1]),
        ([0, 1, 0], [False, False, True], [2, 2, 2]),  # contradictory: two labels
        ([-1, 0, -1], [True, False, True], [0, 1, 0]),  # the labelled one says more
        ([-1, -1], [False, True], [0, 0]),
        ([-2, -1, 0], [True, True, False], [0, 0, 1]),  # -2: a label that is no class
        ([-2, -1], [False, False], [0, 0]),  # what an unusable label says takes nothing from the unlabelled
    ],
)
def test_one_set_of_equal_records(codes: list[int], repeated: list[bool], labels: list[int]):
    sets = np.zeros(len(codes), np.int64)
    assert repeats(np.array(codes), sets).tolist() == repeated
    assert num_labels(np.array(codes), sets).tolist() == labels


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 4)), max_size=40))
def test_exactly_one_record_of_each_set_and_label_is_no_repeat(rows: list[tuple[int, int]]):
    codes, sets = (np.array([row[place] for row in rows], np.int64) for place in (0, 1))
    sets = np.unique(sets, return_inverse=True)[1].astype(np.int64)
    kept = ~repeats(codes, sets)
    expected = {(int(s), int(c)) for s, c in zip(sets, codes, strict=True) if c >= 0}
    labelled = {s for s, _ in expected}
    expected |= {(int(s), int(c)) for s, c in zip(sets, codes, strict=True) if c < 0 and int(s) not in labelled}
    assert sorted(zip(sets[kept].tolist(), codes[kept].tolist(), strict=True)) == sorted(expected)
