"""Distances between rows by hand, missing values, and columns that tell nothing."""

import numpy as np
import pyarrow as pa
import pytest

from mintmark.cluster.columns import FARTHEST, MISSING, MOST_CATEGORIES, points_of
from mintmark.data.records import Form
from mintmark.errors import BadInput

TYPES = {"double": pa.float64(), "int64": pa.int64(), "string": pa.string(), "bool": pa.bool_()}


def encoded(drop=(), **columns):
    """Each column is (type, values)."""
    form = Form(kind="table", classes=(), columns={name: kind for name, (kind, _) in columns.items()})
    table = pa.table({name: pa.array(values, TYPES[kind]) for name, (kind, values) in columns.items()})
    return points_of(table, form, drop=drop)


def test_a_standard_deviation_is_as_far_as_another_category():
    values = [3.0, 5.0, 3.0, 5.0]  # one deviation is 1
    by_number = encoded(x=("double", values)).points.flatten(1)
    by_category = encoded(x=("string", ["a", "b", "a", "c"])).points.flatten(1)
    assert (by_number[0] - by_number[1]).square().sum() == pytest.approx(4)  # two deviations
    for other in (1, 3):
        assert (by_category[0] - by_category[other]).square().sum() == pytest.approx(1)
    assert (by_category[0] - by_category[2]).square().sum() == 0


def test_points_are_images_of_one_row_with_a_column_for_every_feature():
    found = encoded(
        x=("int64", [1, 2, 3, 3]), y=("bool", [True, False, True, True]), z=("string", ["a", "b", "b", "c"])
    )
    assert found.points.shape == (4, 1, 1, 1 + 2 + 3)
    assert [one.categories for one in found.columns] == [None, ("False", "True"), ("a", "b", "c")]
    assert found.left_out == {}


def test_no_number_lies_farther_than_the_bound():
    found = encoded(x=("double", [0.0] * 99 + [1e9])).points.flatten()
    assert found.max() == FARTHEST


@pytest.mark.parametrize("gone", [None, float("nan")])
def test_a_missing_number_is_the_median_and_says_so(gone):
    found = encoded(x=("double", [1.0, 2.0, 9.0, gone])).points.flatten(1)
    assert found[3, 0] == found[1, 0]
    assert found[:, 1].tolist() == [0, 0, 0, 1]
    # without the missing one the others are standardised alike
    alone = encoded(x=("double", [1.0, 2.0, 9.0])).points.flatten()
    assert np.allclose(found[:3, 0], alone)


def test_a_missing_category_is_one_of_them():
    found = encoded(x=("string", ["a", None, "b", "a"]))
    assert found.columns[0].categories == (MISSING, "a", "b")
    assert found.points.flatten(1)[1].argmax() == 0


def test_a_constant_number_that_is_missing_at_times_tells_only_that():
    found = encoded(x=("double", [2.0, 2.0, None, 2.0])).points.flatten(1)
    assert found.tolist() == [[0, 0], [0, 0], [0, 1], [0, 0]]


def test_columns_that_tell_nothing_are_left_out_with_the_reason():
    num = MOST_CATEGORIES + 10
    rows = range(num)
    found = encoded(
        drop=("asked",),
        asked=("double", [float(row) for row in rows]),
        constant=("int64", [7] * num),
        word=("string", ["same"] * num),
        empty=("double", [None] * num),
        text=("string", [f"text {max(row, 5)}" for row in rows]),
        name=("string", [f"n{row}" for row in rows]),
        kept=("double", [float(row % 2) for row in rows]),
    )
    assert [one.name for one in found.columns] == ["kept"]
    reasons = found.left_out
    assert reasons["asked"] == "as asked"
    assert reasons["constant"] == reasons["word"] == "one value throughout"
    assert reasons["empty"] == "no value"
    assert reasons["name"] == f"{num} different values, which are no categories"
    assert reasons["text"] == f"{num - 5} different values, which are no categories"


def test_an_identifier_of_a_small_table_is_left_out():
    assert "name" in encoded(name=("string", ["a", "b", "c"]), x=("double", [1.0, 2.0, 3.0])).left_out


def test_what_cannot_be_told_apart_is_refused_with_every_column():
    with pytest.raises(BadInput, match=r"found none \(x: one value throughout; y: no value\)"):
        encoded(x=("int64", [1, 1]), y=("double", [None, None]))


def test_infinite_numbers_and_unknown_columns_are_named():
    with pytest.raises(BadInput, match="column 'x': expected finite numbers, got 1 infinite ones"):
        encoded(x=("double", [1.0, float("inf")]))
    with pytest.raises(BadInput, match=r"--drop: expected columns among \['x'\], got 'y'"):
        encoded(drop=("y",), x=("double", [1.0, 2.0]))
