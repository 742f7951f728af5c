"""The stage anonymise, from files to files."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mintmark.data.images import ImageSet, read_images, write_images
from mintmark.data.records import Form, RecordWriter
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.release.gate import judge
from tasks import release
from tasks.anonymise import Params, run
from tasks.params import load

ROOT = Path(__file__).resolve().parents[2]
SECTION: dict[str, Any] = {
    "seed": 0,
    "threads": 1,
    "filter": "near_copies",
    "quantile": 0.05,
    "neighbours": 1,
    "min_class_records": 10,
    "shifts": 0,
    "flip": False,
    "min_class_released": 0,
}
PARAMS = Params(**SECTION)


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
    kept, report = read_images(data_dir / "anonymise" / "release.parquet"), read_report(data_dir / "anonymise")
    assert not {"s20", "s21", "s42", "s43", "s44"} & set(kept.ids)
    assert list(kept.ids) == sorted(kept.ids, key=lambda one: int(one[1:]))
    assert len(kept) == report["release_records"].value
    assert report["removed_rate"].value == pytest.approx(1 - len(kept) / 45, rel=1e-5)
    assert report["near_copies_left"].value == 0
    assert sum(fates["near_copy"] for fates in report.facts["records"].values()) == 43 - len(kept) >= 3
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
    (folder / "params.yaml").write_text(json.dumps({"anonymise": SECTION}))
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


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quantile", 1.0),
        ("threads", 0),
        ("min_class_records", 1),
        ("neighbours", 0),
        ("shifts", -1),
        ("min_class_released", -1),
    ],
)
def test_a_wrong_param_is_named(key: str, value: float):
    with pytest.raises(ValueError, match=key):
        dataclasses.replace(PARAMS, **{key: value})  # type: ignore[arg-type]


def test_a_moved_or_mirrored_training_record_goes_out_only_where_asked_for(tmp_path: Path, digits: ImageSet):
    train, fresh = digits.take(np.arange(400)), digits.take(np.arange(400, 500))
    moved = np.zeros_like(train.images[:20])
    moved[:, 1:, :-1] = train.images[:20, :-1, 1:]  # down and to the left, black at the edge
    mirrored = train.images[20:40, :, ::-1]
    images = np.concatenate([fresh.images, moved, mirrored])
    codes = np.concatenate([fresh.codes, train.codes[:40]])
    ids = [f"s{row}" for row in range(len(images))]
    write_images(tmp_path / "split" / "train.parquet", train)
    write_images(
        tmp_path / "generate" / "synthetic.parquet",
        ImageSet(ids=ids, codes=codes, images=images, classes=train.classes),
    )

    def released(**changes: Any) -> tuple[int, int, int]:
        """How many of the fresh, the moved and the mirrored records."""
        run(dataclasses.replace(PARAMS, quantile=0.01, **changes), tmp_path)
        rows = [int(one[1:]) for one in read_images(tmp_path / "anonymise" / "release.parquet").ids]
        parts = np.digitize(rows, [100, 120])
        return tuple(np.bincount(parts, minlength=3).tolist())

    plain, shifted, both = released(), released(shifts=1), released(shifts=1, flip=True)
    assert plain[1] >= 15
    assert (shifted[1], both[1:]) == (0, (0, 0))
    assert shifted[2] >= 10
    assert min(plain[0], shifted[0], both[0]) >= 90  # the threshold is calibrated in the same poses


def test_rare_classes_are_left_out_and_told_by_number_alone(tmp_path: Path, toy_images):
    train = toy_images(num=60).take(np.array([*range(0, 60, 3), *range(1, 60, 3), 2, 5]))  # two of class-2
    write_images(tmp_path / "split" / "train.parquet", train)
    write_images(tmp_path / "generate" / "synthetic.parquet", toy_images(num=40, seed=1))
    run(dataclasses.replace(PARAMS, min_class_released=3), tmp_path)
    kept, report = read_images(tmp_path / "anonymise" / "release.parquet"), read_report(tmp_path / "anonymise")
    assert set(kept.codes.tolist()) == {0, 1}
    assert kept.classes == train.classes  # the form stays that of the training records
    assert report["rare_removed"].value == 13
    assert report.facts["rare_classes"] == 1
    assert "class-2" not in report.facts["records"]
    run(PARAMS, tmp_path)
    assert 2 in read_images(tmp_path / "anonymise" / "release.parquet").codes


def test_with_the_filter_off_no_training_record_is_read_and_nothing_is_claimed(data_dir: Path):
    (data_dir / "split" / "train.parquet").unlink()
    run(dataclasses.replace(PARAMS, filter="none"), data_dir)
    report = read_report(data_dir / "anonymise")
    assert report.facts["reads_train"] is False
    names = {one.name for one in report.measurements}
    assert not names & {"near_copies_left", "threshold"}
    assert (report["release_records"].value, report["duplicates_removed"].value) == (43, 2)
    policy = load("release", release.Params, path=ROOT / "params.yaml").policy()
    findings = judge(policy, {"anonymise": report}).findings
    (found,) = [one for one in findings if one.rule.name == "no near-copy of a training record is left"]
    assert not found.passed


def test_a_filtered_release_says_that_it_was_filtered_against_the_training_records(data_dir: Path):
    run(PARAMS, data_dir)
    assert read_report(data_dir / "anonymise").facts["reads_train"] is True


def test_rare_classes_cannot_be_counted_with_the_filter_off():
    with pytest.raises(ValueError, match="min_class_released"):
        dataclasses.replace(PARAMS, filter="none", min_class_released=3)


def test_shifts_as_large_as_the_images_are_refused(data_dir: Path):
    with pytest.raises(BadInput, match="shifts must be below the images' sides 8x8"):
        run(dataclasses.replace(PARAMS, shifts=8), data_dir)
