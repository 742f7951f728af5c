"""Facts of records against plain NumPy, in every kind."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from mintmark.data import records
from mintmark.data.facts import read_facts, robust_z
from mintmark.data.images import write_images
from mintmark.data.records import Form
from mintmark.errors import BadInput


def test_facts_of_images_are_those_of_numpy_whatever_the_batch(tmp_path: Path, digits, monkeypatch):
    write_images(tmp_path / "r.parquet", digits)
    whole = read_facts(tmp_path / "r.parquet").rows
    flat = digits.images.reshape(len(digits), -1).astype(float)
    np.testing.assert_array_equal(whole["range"], np.ptp(flat, axis=1))
    np.testing.assert_allclose(whole["mean"], flat.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(whole["spread"], flat.std(axis=1), rtol=1e-12)
    monkeypatch.setattr(records, "BATCH_VALUES", 64 * 100)
    assert records.batch_rows(read_facts(tmp_path / "r.parquet").form) == 100
    assert read_facts(tmp_path / "r.parquet").rows.equals(whole)


def test_no_digit_is_equal_to_another_or_outlying(tmp_path: Path, digits):
    write_images(tmp_path / "r.parquet", digits)
    rows = read_facts(tmp_path / "r.parquet").rows
    assert rows["repeats"].sum() == 0
    assert rows["labels_of_equals"].eq(1).all()
    assert rows["mean_z"].max() == pytest.approx(2.93, abs=0.01)
    assert rows["spread_z"].max() == pytest.approx(2.85, abs=0.01)


def test_null_payloads_and_unknown_labels_are_told_apart(tmp_path: Path, write_records):
    form = Form(kind="image", classes=("cat", "dog"), shape=(2, 2, 1))
    one, two = np.arange(4, dtype=np.uint8), np.arange(4, 8, dtype=np.uint8)
    labels = ["cat", None, "dgo", "dog", None]
    write_records(tmp_path / "r.parquet", form, payloads=[None, one, two, None, one], labels=labels)
    rows = read_facts(tmp_path / "r.parquet").rows
    assert rows["label"].astype(object).where(rows["label"].notna(), None).tolist() == labels
    assert rows["readable"].isna().tolist() == [True, False, False, True, False]
    assert rows["mean"].dropna().tolist() == [1.5, 5.5, 1.5]
    assert rows["repeats"].tolist() == [0, 0, 0, 0, 1]  # unreadable records are not each other's equals


def test_a_series_with_nan_has_no_statistics_but_a_count(tmp_path: Path, write_records):
    form = Form(kind="series", classes=("a",), shape=(3, 1))
    payloads = [np.array(one, np.float32) for one in ([1, 2, 3], [1, np.nan, np.inf], [2, 2, 2])]
    write_records(tmp_path / "r.parquet", form, payloads=payloads, labels=["a"] * 3)
    rows = read_facts(tmp_path / "r.parquet").rows
    assert rows["non_finite"].tolist() == [0, 2, 0]
    assert rows["range"].fillna(-1.0).tolist() == [2.0, -1.0, 0.0]


def test_a_table_counts_what_is_missing_and_infinite_by_column(tmp_path: Path, write_records):
    form = Form(kind="table", classes=("y",), columns={"size": "double", "age": "int64", "city": "string"})
    ages = [30, 31, 32, 33, 34, 35, 36, 37, 38, 999]
    sizes = [1.0, np.nan, None, np.inf, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0]
    columns = {"size": sizes, "age": ages, "city": ["a", None, None, *"bcdefgh"]}
    write_records(tmp_path / "r.parquet", form, payloads=columns, labels=["y"] * 10)
    found = read_facts(tmp_path / "r.parquet")
    assert (found.missing, found.non_finite) == ({"size": 2, "age": 0, "city": 2}, {"size": 1})
    np.testing.assert_allclose(found.rows["missing_share"][:4], [0, 2 / 3, 2 / 3, 0])
    assert found.rows["non_finite"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert found.rows["column_z"].argmax() == 9
    assert found.rows["column_z"][9] == pytest.approx((999 - 34.5) / (1.4826 * 2.5))


def test_robust_z_is_scipys_scaled_median_absolute_deviation():
    values = np.random.default_rng(0).normal(5, 3, 101)
    expected = np.abs(values - np.median(values)) / stats.median_abs_deviation(values, scale="normal")
    np.testing.assert_allclose(robust_z(values, strata=np.zeros(101, np.int64)), expected, rtol=1e-4)


def test_a_rare_class_that_differs_as_a_whole_is_not_outlying_but_a_stranger_to_all_is():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 500), rng.normal(40, 1, 20), [80.0]])
    strata = np.array([0] * 500 + [1] * 20 + [1])
    judged = robust_z(values, strata=strata)
    assert judged[:520].max() < 6
    assert judged[520] > 20


def test_where_no_spread_can_be_told_nothing_is_outlying():
    mostly_equal = np.array([1.0] * 9 + [50.0])
    assert robust_z(mostly_equal, strata=np.zeros(10, np.int64)).tolist() == [0.0] * 10
    few = np.array([*np.linspace(0, 1, 20), 90.0, 91.0])
    assert robust_z(few, strata=np.array([0] * 20 + [1] * 2))[-2:].tolist() == [0.0, 0.0]
    assert np.isnan(robust_z(np.array([np.nan, 1.0]), strata=np.zeros(2, np.int64))[0])


def test_a_missing_column_is_named(tmp_path: Path):
    schema = Form(kind="image", classes=("a",), shape=(2, 2, 1)).schema()
    pq.write_table(pa.table({"id": ["x"], "label": ["a"]}).replace_schema_metadata(schema.metadata), tmp_path / "r")
    with pytest.raises(BadInput, match=r"expected columns \['id', 'label', 'image'\], lacks \['image'\]"):
        read_facts(tmp_path / "r")


def test_a_column_of_another_type_is_named(tmp_path: Path):
    metadata = Form(kind="table", classes=("a",), columns={"age": "int64"}).schema().metadata
    table = pa.table({"id": ["x"], "label": ["a"], "age": ["ten"]}).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "r")
    with pytest.raises(BadInput, match="column 'age' must be of type int64, got string"):
        read_facts(tmp_path / "r")


def test_a_file_without_records_is_refused(tmp_path: Path, write_records):
    form = Form(kind="table", classes=("a",), columns={"age": "int64"})
    write_records(tmp_path / "r", form, payloads={"age": []}, labels=[])
    with pytest.raises(BadInput, match="expected records, found none"):
        read_facts(tmp_path / "r")


def test_facts_stay_near_their_stated_size(tmp_path: Path, digits):
    write_images(tmp_path / "r.parquet", digits)
    per_record = read_facts(tmp_path / "r.parquet").rows.memory_usage(index=False).sum() / len(digits)
    assert 50 < per_record + 16 < 110  # 16: the digest, which goes before the end
