"""The stage anonymise, from files to files."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mintmark.data.images import ImageSet, read_images, write_images
from mintmark.data.records import Form, RecordWriter
from mintmark.evidence import read_report
from tasks.anonymise import Params, run

ROOT = Path(__file__).resolve().parents[2]
PARAMS = Params(seed=0, threads=1, quantile=0.05, min_class_records=10)


@pytest.fixture
def data_dir(tmp_path: Path, toy_images) -> Path:
    """Train records, and synthetic ones: fresh, three copies of training records, and two repeats."""
    train, fresh = toy_images(num=60, seed=0), toy_images(num=40, seed=1)
    rows = [*range(20), 0, 3, *range(20, 40)]
    images = np.concatenate([fresh.images[rows], train.images[:3]])
    codes = np.concatenate([fresh.codes[rows], train.codes[:3]])
    ids = [f"s{row}" for row in range(len(images))]
    write_images(tmp_path / "split" / "train.parquet", train)
    write_images(
        tmp_path / "generate" / "synthetic.parquet",
        ImageSet(ids=ids, codes=codes, images=images, classes=train.classes),
    )
    return tmp_path


def test_copies_and_repeats_go_out_and_the_rest_keeps_its_order(data_dir: Path):
    run(PARAMS, data_dir)
    release, report = read_images(data_dir / "anonymise" / "release.parquet"), read_report(data_dir / "anonymise")
    assert not {"s20", "s21", "s42", "s43", "s44"} & set(release.ids)
    assert list(release.ids) == sorted(release.ids, key=lambda one: int(one[1:]))
    assert len(release) == report["release_records"].value
    assert report["removed_rate"].value == pytest.approx(1 - len(release) / 45, rel=1e-5)
    assert report["near_copies_left"].value == 0
    assert sum(fates["near_copy"] for fates in report.facts["records"].values()) == 43 - len(release) >= 3
    assert report["duplicates_removed"].value == 2
    assert sum(sum(fates.values()) for fates in report.facts["records"].values()) == 45


def test_the_report_holds_counts_and_no_record(data_dir: Path):
    run(PARAMS, data_dir)
    text = (data_dir / "anonymise" / "report.json").read_text()
    ids = [*read_images(data_dir / "split" / "train.parquet").ids, '"s1"']
    assert not any(one in text for one in ids)


def test_the_same_inputs_give_the_same_bytes(data_dir: Path):
    run(PARAMS, data_dir)
    first = [(data_dir / "anonymise" / name).read_bytes() for name in ("report.json", "release.parquet")]
    run(PARAMS, data_dir)
    assert first == [(data_dir / "anonymise" / name).read_bytes() for name in ("report.json", "release.parquet")]


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    section = {"seed": 0, "threads": 1, "quantile": 0.05, "min_class_records": 10}
    (folder / "params.yaml").write_text(json.dumps({"anonymise": section}))
    return subprocess.run(
        [sys.executable, "-m", "tasks.anonymise"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_generator_that_only_copies_leaves_nothing_to_release_and_says_so(tmp_path: Path, toy_images):
    data_dir = tmp_path / "data"
    write_images(data_dir / "split" / "train.parquet", toy_images())
    write_images(data_dir / "generate" / "synthetic.parquet", toy_images())
    done = start(tmp_path)
    said = [line for line in done.stderr.splitlines() if not line.startswith("progress")]
    assert done.returncode == 1
    assert len(said) == 1
    assert "synthetic.parquet" in said[0]
    assert not (data_dir / "anonymise" / "release.parquet").exists()


def test_a_table_is_refused_by_name(tmp_path: Path, toy_images):
    write_images(tmp_path / "data" / "split" / "train.parquet", toy_images())
    form = Form(kind="table", classes=("a",), columns={"age": "int64"})
    with RecordWriter(tmp_path / "data" / "generate" / "synthetic.parquet", form):
        pass
    done = start(tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "table" in done.stderr


@pytest.mark.parametrize(("key", "value"), [("quantile", 1.0), ("threads", 0), ("min_class_records", 1)])
def test_a_wrong_param_is_named(key: str, value: float):
    with pytest.raises(ValueError, match=key):
        dataclasses.replace(PARAMS, **{key: value})  # type: ignore[arg-type]
