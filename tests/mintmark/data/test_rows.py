"""Rows are gathered into batches of one shape; one that cannot be read loses no other."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mintmark.data import records
from mintmark.data.rows import Row, Rows, SeriesMould, source_of_rows
from mintmark.errors import BadInput


def read(values: list[float] | None) -> np.ndarray:
    if values is None:
        raise ValueError("expected a series, got nothing")
    return np.array(values)


def rows(*series: list[float] | None) -> Rows:
    def some() -> Iterator[Row]:
        for number, values in enumerate(series, start=1):
            yield Row(where=f"row {number}", read=partial(read, values), label=str(number), group="g", id=f"i{number}")

    return Rows(read=some, number=len(series), files=lambda: iter([]), grouped=True, identified=True)


def test_the_first_row_that_can_be_read_gives_the_shape():
    source = source_of_rows(rows(None, [1, 2], [3]), kind="series", mould=SeriesMould(), path=Path("x"))
    assert source.shape == (2, 1)
    (batch,) = source.batches()
    np.testing.assert_array_equal(batch.payload[:, :, 0], [[0, 0], [1, 2], [0, 0]])
    assert batch.broken == {
        0: "expected a series, got nothing",
        2: "expected a series of (time, channels) (2, 1), got (1, 1)",
    }
    assert (batch.labels, batch.groups, batch.ids) == (["1", "2", "3"], ["g"] * 3, ["i1", "i2", "i3"])


def test_batches_are_small_where_rows_are_large(monkeypatch):
    monkeypatch.setattr(records, "BATCH_VALUES", 6)
    source = source_of_rows(rows(*[[1.0, 2.0]] * 7), kind="series", mould=SeriesMould(), path=Path("x"))
    assert [len(batch.where) for batch in source.batches()] == [3, 3, 1]
    assert source.num_batches == 3


def test_a_source_can_be_read_twice():
    source = source_of_rows(rows([1, 2], [3, 4]), kind="series", mould=SeriesMould(), path=Path("x"))
    first, second = (next(source.batches()).payload for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_numbers_too_large_for_float32_become_infinite():
    source = source_of_rows(rows([1e300, -1e300]), kind="series", mould=SeriesMould(), path=Path("x"))
    assert next(source.batches()).payload.ravel().tolist() == [np.inf, -np.inf]


def test_no_row_and_no_readable_row_are_refused():
    with pytest.raises(BadInput, match="x: expected at least one record, found none"):
        source_of_rows(rows(), kind="series", mould=SeriesMould(), path=Path("x"))
    with pytest.raises(BadInput, match="x: row 1: expected a series, got nothing"):
        source_of_rows(rows(None, None), kind="series", mould=SeriesMould(), path=Path("x"))
