"""Series come back as they were written, and what is no whole series is named."""

from pathlib import Path

import numpy as np
import pytest

from mintmark.data.images import write_images
from mintmark.data.records import Form
from mintmark.data.series import SeriesSet, read_series, write_series
from mintmark.errors import BadInput

FORM = Form(kind="series", classes=("a", "b"), shape=(5, 2))


def drawn(num=4):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(num, 5, 2)).astype(np.float32)
    codes = np.arange(num) % 3 - 1
    return SeriesSet(ids=[f"r{row}" for row in range(num)], codes=codes, values=values, classes=("a", "b"))


def test_series_come_back_as_they_were(tmp_path: Path):
    series, path = drawn(), tmp_path / "series.parquet"
    write_series(path, series)
    found = read_series(path)
    assert (found.ids, found.classes) == (series.ids, series.classes)
    np.testing.assert_array_equal(found.codes, series.codes)
    np.testing.assert_array_equal(found.values, series.values)
    assert len(found) == 4


def test_values_that_are_no_numbers_are_named_with_their_record(tmp_path: Path, write_records):
    payloads = list(drawn().values.copy())
    payloads[2][1, 0] = np.nan
    payloads[3][0, 1] = np.inf
    write_records(tmp_path / "x.parquet", FORM, payloads=payloads, labels=["a"] * 4)
    with pytest.raises(BadInput, match=r"x.parquet: record 2: expected finite values, got others in 2 records"):
        read_series(tmp_path / "x.parquet")


def test_a_record_without_payload_is_named(tmp_path: Path, write_records):
    payloads = [*drawn().values, None]
    write_records(tmp_path / "x.parquet", FORM, payloads=payloads, labels=["a"] * 5)
    with pytest.raises(BadInput, match=r"x.parquet: record 4: expected a series, got none in 1 records"):
        read_series(tmp_path / "x.parquet")


def test_other_kinds_and_empty_files_are_refused(tmp_path: Path, write_records, toy_images):
    write_images(tmp_path / "x.parquet", toy_images(num=3))
    with pytest.raises(BadInput, match=r"x.parquet: expected records of kind 'series', got kind 'image'"):
        read_series(tmp_path / "x.parquet")
    write_records(tmp_path / "x.parquet", FORM, payloads=[], labels=[])
    with pytest.raises(BadInput, match=r"x.parquet: expected records, found none"):
        read_series(tmp_path / "x.parquet")
