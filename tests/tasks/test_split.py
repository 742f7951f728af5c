"""The stage split, from files to files: every record has one part, and what belongs together stays together."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mintmark.data.images import read_images, write_images
from mintmark.data.records import Form, read_form
from mintmark.data.splits import PARTS
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from tasks.params import build, load
from tasks.split import Counts, Fractions, Params, run

ROOT = Path(__file__).resolve().parents[2]
PARAMS = Params(
    seed=0,
    threads=1,
    fractions=Fractions(train=0.4, validation=0.2, test=0.2, reference=0.2),
    unlabelled_fractions=Fractions(train=0.6, validation=0.0, test=0.2, reference=0.2),
    min_class_records=Counts(train=2, validation=1, test=1, reference=1),
    train_labels_per_class=None,
    near_distance=0.0,
)
SECTION = dataclasses.asdict(PARAMS)
FORM = Form(kind="image", classes=("cat", "dog"), shape=(4, 4, 1))


def noise(num: int, *, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (num, 4, 4, 1)).astype(np.uint8))


def coins_in(data_dir: Path) -> pd.DataFrame:
    return pq.read_table(data_dir / "split" / "coins.parquet").to_pandas()


def test_the_digits_go_into_four_parts_by_the_params_that_ship(tmp_path: Path, digits):
    write_images(tmp_path / "validate" / "accepted.parquet", digits)
    run(load("split", Params, path=ROOT / "params.yaml"), tmp_path)
    report, coins = read_report(tmp_path / "split"), coins_in(tmp_path)
    sizes = {part: len(read_images(tmp_path / "split" / f"{part}.parquet")) for part in PARTS}
    assert sizes == {"train": 808, "validation": 181, "test": 539, "reference": 269}
    assert {part: report[f"{part}_records"].value for part in PARTS} == sizes
    assert coins["id"].tolist() == list(digits.ids)
    assert coins.columns.tolist() == ["id", "label", "group", "coin", "part"]
    assert coins["coin"].between(0, 1, inclusive="left").all()
    for part in PARTS:
        found = read_images(tmp_path / "split" / f"{part}.parquet")
        rows = np.flatnonzero((coins["part"] == part).to_numpy())
        assert list(found.ids) == [digits.ids[row] for row in rows]
        np.testing.assert_array_equal(found.images, digits.images[rows])
        np.testing.assert_array_equal(found.codes, digits.codes[rows])
    table = pd.DataFrame(report.facts["classes"])
    assert np.ptp(table.loc["train"].to_numpy()) <= 4  # 174 to 183 digits a class, of which 45%
    assert table.to_numpy().sum() == 1797
    assert report.facts["units"] == {"all": 1797, "of_several": 0, "largest": 1}


def test_equals_and_groups_never_straddle(tmp_path: Path, write_records):
    form = Form(kind="image", classes=("cat", "dog"), shape=(4, 4, 1), grouped=True)
    pool = noise(100)
    payloads = [*pool, *pool[:30]]  # rows 100 to 129 equal the first thirty
    groups = [f"patient-{row // 4}" if row < 60 else None for row in range(130)]
    write_records(
        tmp_path / "validate" / "accepted.parquet", form, payloads=payloads, labels=["cat", "dog"] * 65, groups=groups
    )
    run(PARAMS, tmp_path)
    coins = coins_in(tmp_path)
    coins["patient"] = groups
    assert all(len(set(parts)) == 1 for _, parts in coins.groupby("patient")["part"])
    assert (coins["part"][:30].to_numpy() == coins["part"][100:].to_numpy()).all()
    assert all(len(set(one["part"])) == len(set(one["coin"])) == 1 for _, one in coins.groupby("group"))
    assert coins["group"][100] == coins["group"][0] == coins["id"][0]
    assert read_report(tmp_path / "split").facts["units"] == {"all": 55, "of_several": 15, "largest": 8}


def test_near_images_stay_together_where_a_distance_is_given(tmp_path: Path, write_records):
    images = noise(60)
    shifted = [(image.astype(int) // 2 + 1).astype(np.uint8) for image in images]
    halved = [(image // 2).astype(np.uint8) for image in images]
    labels = ["cat", "dog"] * 60
    write_records(tmp_path / "validate" / "accepted.parquet", FORM, payloads=[*shifted, *halved], labels=labels)
    run(dataclasses.replace(PARAMS, near_distance=1.5), tmp_path)
    coins = coins_in(tmp_path)
    assert (coins["part"][:60].to_numpy() == coins["part"][60:].to_numpy()).all()
    run(PARAMS, tmp_path)
    coins = coins_in(tmp_path)
    assert not (coins["part"][:60].to_numpy() == coins["part"][60:].to_numpy()).all()


def test_records_without_a_label_have_fractions_of_their_own(tmp_path: Path, write_records):
    labels = ["cat", "dog"] * 20 + [None] * 50
    write_records(tmp_path / "validate" / "accepted.parquet", FORM, payloads=noise(90), labels=labels)
    run(PARAMS, tmp_path)
    facts = read_report(tmp_path / "split").facts
    assert facts["unlabelled"] == {"train": 30, "validation": 0, "test": 10, "reference": 10}
    assert facts["classes"]["cat"] == {"train": 8, "validation": 4, "test": 4, "reference": 4}


@pytest.mark.parametrize("kind", ["table", "series"])
def test_every_kind_is_split(tmp_path: Path, write_records, kind: str):
    rng = np.random.default_rng(0)
    if kind == "table":
        form = Form(kind="table", classes=("cat", "dog"), columns={"age": "int64", "city": "string"})
        payloads = {"age": rng.integers(0, 9999, 40).tolist(), "city": ["x", None] * 20}
    else:
        form = Form(kind="series", classes=("cat", "dog"), shape=(8, 2))
        payloads = list(rng.normal(size=(40, 8, 2)).astype(np.float32))
    source = tmp_path / "validate" / "accepted.parquet"
    write_records(source, form, payloads=payloads, labels=["cat", "dog"] * 20)
    run(PARAMS, tmp_path)
    parts = [pq.read_table(tmp_path / "split" / f"{part}.parquet") for part in PARTS]
    rows = [row for part in parts for row in part.to_pylist()]
    ids = [row["id"] for row in rows]
    assert sorted(ids) == [row["id"] for row in pq.read_table(source).to_pylist()]
    assert [rows[place] for place in np.argsort(ids)] == pq.read_table(source).to_pylist()
    assert all(read_form(tmp_path / "split" / f"{part}.parquet") == form for part in PARTS)
    if kind == "series":
        with pytest.raises(BadInput, match="near_distance must be 0 for records of kind 'series'"):
            run(dataclasses.replace(PARAMS, near_distance=1.0), tmp_path)


def test_a_seed_gives_the_same_bytes_and_another_one_other_parts(tmp_path: Path, digits):
    write_images(tmp_path / "validate" / "accepted.parquet", digits)
    files = ["report.json", "metrics.json", "coins.parquet", *(f"{part}.parquet" for part in PARTS)]
    run(PARAMS, tmp_path)
    first = [(tmp_path / "split" / name).read_bytes() for name in files]
    run(dataclasses.replace(PARAMS, threads=2), tmp_path)
    assert first == [(tmp_path / "split" / name).read_bytes() for name in files]
    before = coins_in(tmp_path)
    run(dataclasses.replace(PARAMS, seed=1), tmp_path)
    after = coins_in(tmp_path)
    assert not (before["coin"] == after["coin"]).any()
    assert (before["part"] == after["part"]).mean() == pytest.approx(0.4**2 + 3 * 0.2**2, abs=0.05)


def test_the_report_names_no_record(tmp_path: Path, digits):
    write_images(tmp_path / "validate" / "accepted.parquet", digits)
    run(PARAMS, tmp_path)
    text = (tmp_path / "split" / "report.json").read_text()
    assert not any(one in text for one in digits.ids)


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(json.dumps({"split": SECTION}))
    command = [sys.executable, "-m", "tasks.split"]
    env = {"PYTHONPATH": str(ROOT), "PATH": ""}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_class_too_small_for_its_parts_is_refused_with_the_numbers(tmp_path: Path, write_records):
    source = tmp_path / "data" / "validate" / "accepted.parquet"
    write_records(source, FORM, payloads=noise(23), labels=["cat"] * 20 + ["dog"] * 3)
    done = start(tmp_path)
    said = [line for line in done.stderr.splitlines() if not line.startswith("progress")]
    assert done.returncode == 1
    fault = "class 'dog' has 3 records: train needs 2, gets 1, test needs 1, gets 0"
    assert said == [f"split: data/validate/accepted.parquet: expected more records: {fault}"]
    assert not (tmp_path / "data" / "split").exists()


def test_a_class_from_one_group_is_refused_with_the_number_of_groups(tmp_path: Path, write_records):
    form = Form(kind="image", classes=("cat", "dog"), shape=(4, 4, 1), grouped=True)
    groups = [None] * 20 + ["one patient"] * 20
    labels = ["cat"] * 20 + ["dog"] * 20
    write_records(tmp_path / "validate" / "accepted.parquet", form, payloads=noise(40), labels=labels, groups=groups)
    with pytest.raises(BadInput, match=r"class 'dog' has 20 records in 1 groups: .*needs 1, gets 0"):
        run(PARAMS, tmp_path)


def test_of_many_small_classes_some_are_named(tmp_path: Path, write_records):
    classes = tuple(f"c{number}" for number in range(9))
    form = Form(kind="image", classes=classes, shape=(4, 4, 1))
    write_records(tmp_path / "validate" / "accepted.parquet", form, payloads=noise(9), labels=classes)
    with pytest.raises(BadInput, match=r"; and 4 more classes$"):
        run(PARAMS, tmp_path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"fractions": {**SECTION["fractions"], "train": 0.3}},
            "fractions.train, validation, test and reference must sum",
        ),
        ({"fractions": {**SECTION["fractions"], "test": -0.2}}, "fractions.test must lie in 0..1, got -0.2"),
        (
            {"min_class_records": {**SECTION["min_class_records"], "test": -1}},
            "min_class_records.test must be at least 0",
        ),
        ({"seed": -1}, "seed must be at least 0"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"near_distance": -0.5}, "near_distance must be at least 0"),
    ],
)
def test_a_wrong_param_is_named(change: dict, fault: str):
    with pytest.raises(ValueError, match=f"^split.{fault}"):
        build(Params, SECTION | change, name="split")


def test_all_but_a_few_training_labels_are_hidden_in_every_file(tmp_path: Path, digits):
    write_images(tmp_path / "validate" / "accepted.parquet", digits)
    shipped = load("split", Params, path=ROOT / "params.yaml")
    run(shipped, tmp_path)
    before = {part: read_images(tmp_path / "split" / f"{part}.parquet") for part in PARTS}
    run(dataclasses.replace(shipped, train_labels_per_class=3), tmp_path)
    after = {part: read_images(tmp_path / "split" / f"{part}.parquet") for part in PARTS}
    for part in PARTS:
        assert after[part].ids == before[part].ids  # who is where does not change
        np.testing.assert_array_equal(after[part].images, before[part].images)
    kept = after["train"].codes >= 0
    assert np.bincount(after["train"].codes[kept]).tolist() == [3] * 10
    np.testing.assert_array_equal(after["train"].codes[kept], before["train"].codes[kept])
    for part in PARTS[1:]:
        np.testing.assert_array_equal(after[part].codes, before[part].codes)
    coins = coins_in(tmp_path)
    assert coins.loc[coins["part"] == "train", "label"].notna().sum() == 30
    facts = read_report(tmp_path / "split").facts
    assert facts["unlabelled"] == {"train": 778, "validation": 0, "test": 0, "reference": 0}
    assert facts["train_labels_per_class"] == 3


def test_no_label_kept_is_refused():
    with pytest.raises(ValueError, match="train_labels_per_class must be at least 1 or null, got 0"):
        dataclasses.replace(PARAMS, train_labels_per_class=0)
