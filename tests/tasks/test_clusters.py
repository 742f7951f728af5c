"""The command: a record file in, clusters of any kind out, all at once or not at all; labels score and change nothing."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from mintmark.cluster.methods import METHODS
from mintmark.data.images import read_images, write_images
from mintmark.data.records import Form
from mintmark.data.series import SeriesSet, read_series, write_series
from mintmark.errors import BadInput
from tasks import ingest, split, validate
from tasks.clusters import Asked, Kind, clusters, main
from tasks.params import build

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # Great Expectations imports them

ROOT = Path(__file__).parents[2]
SECTIONS = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
COMMON = {"assignments.parquet", "clusters.csv", "metrics.json", "number.png", "prototypes.png", "report.json"}
FORMS = ((0.0, 1.0, 2.0, 3.0, 4.0), (3.0, -3.0, 3.0, -3.0, 3.0))


def series(num=60, *, labelled=True) -> SeriesSet:
    """Two forms at random places."""
    rng = np.random.default_rng(0)
    codes, values = np.arange(num) % 2, rng.normal(20, 0.2, (num, 30, 1))
    for row, code in enumerate(codes):
        place = rng.integers(8, 16)
        values[row, place : place + 5, 0] += FORMS[code]
    known = codes if labelled else np.full(num, -1)
    ids = [f"{row:032x}" for row in range(num)]
    return SeriesSet(ids=ids, codes=known, values=values.astype(np.float32), classes=("ramp", "zigzag"))


def table(num=120) -> pd.DataFrame:
    """Two groups that differ in a number and in a category."""
    rng = np.random.default_rng(0)
    group = np.arange(num) % 2
    return pd.DataFrame(
        {
            "income": np.where(group, "high", "low"),
            "age": (30 + 25 * group + rng.normal(0, 3, num)).round(2),
            "work": np.where(group ^ (rng.random(num) < 0.1), "office", "field"),
            "hours": np.where(rng.random(num) < 0.1, np.nan, rng.normal(40, 5, num).round(1)),
            "name": [f"n{row}" for row in range(num)],
        }
    )


def ingested(folder: Path, source: Path, *, kind: str, **columns: str) -> Path:
    section = {**SECTIONS["ingest"], "source": str(source), "format": source.suffix[1:], "kind": kind}
    section["columns"] = {**section["columns"], **columns}
    ingest.run(build(ingest.Params, section, name="ingest"), folder / "data")
    return folder / "data" / "ingest" / "records.parquet"


def split_of(folder: Path, source: Path, *, kind: str, **columns: str) -> Path:
    """The training part after ingest, validate and split."""
    ingested(folder, source, kind=kind, **columns)
    validate.run(build(validate.Params, SECTIONS["validate"], name="validate"), folder / "data")
    split.run(build(split.Params, SECTIONS["split"], name="split"), folder / "data")
    return folder / "data" / "split" / "train.parquet"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tasks.clusters", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_split_series_is_clustered_and_can_be_ingested_again(tmp_path: Path):
    write_series(tmp_path / "source.parquet", series(120))
    train = split_of(tmp_path, tmp_path / "source.parquet", kind="series", id="id")
    out = tmp_path / "out"
    done = command(train, out, "--clusters", 2, "--shift", 10)
    assert done.returncode == 0, done.stderr
    assert "by shifts in 2 clusters" in done.stdout
    assert files_in(out) == COMMON | {"aligned.parquet"}
    report = json.loads((out / "report.json").read_text())
    measured = {one["name"]: one for one in report["measurements"]}
    assert measured["accuracy"]["value"] > 0.9 > measured["chance_accuracy"]["value"]
    assert 0 < measured["nmi"]["low"] <= measured["nmi"]["value"]
    read = read_series(train)
    rows = pq.read_table(out / "assignments.parquet").to_pandas()
    assert rows["id"].tolist() == list(read.ids)
    assert set(rows["cluster"]) == {0, 1}
    assert rows["shift"].abs().max() <= 10
    again = ingested(tmp_path / "again", out / "aligned.parquet", kind="series", id="id")
    assert read_series(again).classes == ("0", "1")


def test_an_ingested_table_is_clustered_with_its_profile(tmp_path: Path):
    table(240).to_csv(tmp_path / "source.csv", index=False)
    records = ingested(tmp_path, tmp_path / "source.csv", kind="table", label="income")
    out = tmp_path / "out"
    done = command(records, out, "--clusters", 2)
    assert done.returncode == 0, done.stderr
    assert "left out column 'name'" in done.stdout
    assert files_in(out) == COMMON | {"profiles.csv"}
    profile = pd.read_csv(out / "profiles.csv").set_index(["cluster", "column"])["typical"]
    by_age = sorted((float(profile[cluster, "age"]), profile[cluster, "work"]) for cluster in (0, 1))
    assert by_age[0] == (pytest.approx(30, abs=2), "field")
    assert by_age[1] == (pytest.approx(55, abs=2), "office")


def test_nothing_but_the_assignments_names_a_record(tmp_path: Path, write_records):
    path = tmp_path / "x.parquet"
    write_series(path, series())
    clusters(path, tmp_path / "out", Asked(num_clusters=2))
    texts = [one.read_text() for one in (tmp_path / "out").iterdir() if one.suffix in {".json", ".csv"}]
    assert not any(one in text for one in series().ids for text in texts)


def test_labels_change_no_cluster(tmp_path: Path):
    found = []
    for labelled in (True, False):
        path, out = tmp_path / f"{labelled}.parquet", tmp_path / f"out-{labelled}"
        write_series(path, series(labelled=labelled))
        report = clusters(path, out, Asked(num_clusters=2))
        assert (report["accuracy"].value is None) == (not labelled)
        found.append((out / "assignments.parquet").read_bytes())
    assert found[0] == found[1]


def test_images_are_clustered_and_aligned(tmp_path: Path, toy_images):
    write_images(tmp_path / "x.parquet", toy_images())
    report = clusters(tmp_path / "x.parquet", tmp_path / "out", Asked(num_clusters=3))
    assert report.facts["method"] == "kmeans"
    assert report["accuracy"].value == 1.0
    assert files_in(tmp_path / "out") == COMMON | {"aligned.parquet"}
    assert read_images(tmp_path / "out" / "aligned.parquet").classes == ("0", "1", "2")


def test_a_number_is_chosen_where_there_are_clusters_and_refused_in_a_cloud(tmp_path: Path, write_records):
    rng = np.random.default_rng(0)
    form = Form(kind="table", classes=(), columns={"x": "double", "y": "double"})
    corners = np.array([[0, 0], [9, 0], [0, 9]])[np.arange(60) % 3]
    for name, middles in (("clusters", corners), ("cloud", np.zeros((60, 2)))):
        x, y = (middles + rng.normal(size=(60, 2))).T.tolist()
        write_records(tmp_path / f"{name}.parquet", form, payloads={"x": x, "y": y}, labels=[None] * 60)
    report = clusters(tmp_path / "clusters.parquet", tmp_path / "out", Asked(most=4))
    assert report["num_clusters"].value == 3
    assert [one["num_clusters"] for one in report.facts["number"]["curve"]] == [2, 3, 4]
    with pytest.raises(BadInput, match=r"cloud.parquet: expected clusters, .* state one, as in --clusters 4"):
        clusters(tmp_path / "cloud.parquet", tmp_path / "none", Asked(most=4))
    assert not (tmp_path / "none").exists()


def refused(path: Path, out: Path, match: str, **asked) -> None:
    before = files_in(out.parent)
    with pytest.raises(BadInput, match=match):
        clusters(path, out, Asked(**{"num_clusters": 2, **asked}))
    assert files_in(out.parent) == before


def test_what_cannot_be_served_is_named_and_nothing_is_written(tmp_path: Path, write_records, toy_images):
    path, out = tmp_path / "x.parquet", tmp_path / "out"
    write_series(path, series(4))
    refused(path, out, r"x.parquet: expected at least 5 records for 5 clusters, got 4", num_clusters=5)
    refused(path, out, r"x.parquet: expected at least 30 records to try 10 clusters, got 4", num_clusters=None)
    refused(path, out, r"--shift: expected less than the length, 30, got 30", shift=30)
    refused(path, out, r"--shift: expected the method shifts, got warps", shift=3, method="warps")
    refused(path, out, r"--drop, got kind 'series'", drop=("x",))
    same = np.full((4, 30, 1), 1.5, np.float32)
    write_series(path, replace(series(4), values=same))
    refused(path, out, r"x.parquet: expected at least 2 different records for 2 clusters, got 1 among 4 records")
    same[2, 3] = np.nan
    write_series(path, replace(series(4), values=same))
    refused(path, out, r"x.parquet: record 2: expected finite values, got others in 1 records")
    form = Form(kind="table", classes=(), columns={"x": "double"})
    write_records(path, form, payloads={"x": [3.0] * 5}, labels=[None] * 5)
    refused(path, out, r"x.parquet: expected a column that tells records apart, found none \(x: one value throughout\)")
    write_records(path, form, payloads={"x": [3.0, 4.0, 5.0]}, labels=[None] * 3)
    refused(path, out, r"--method: expected kmeans or mixture for a table, got shifts", method="shifts")
    refused(path, out, r"--drop: expected columns among \['x'\], got 'y'", drop=("y",))
    write_images(path, toy_images(num=6))
    refused(path, out, r"expected series for --alike, got kind 'image'", alike=True)
    pd.DataFrame({"x": [1]}).to_parquet(path)
    refused(path, out, r"x.parquet: expected a record file with Mintmark metadata, got plain Parquet")
    path.write_text("x")
    refused(path, out, r"x.parquet: expected a Parquet file")
    out.mkdir()
    (out / "mine.txt").write_text("precious")
    refused(path, out, "out: expected a new or empty folder")


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"num_clusters": 0}, "--clusters: expected auto or at least 1, got 0"),
        ({"most": 1}, "--most: expected at least 2, got 1"),
        ({"shift": -1}, "--shift: expected at least 0, got -1"),
        ({"seed": -1}, "--seed: expected at least 0, got -1"),
    ],
)
def test_a_wrong_option_is_named(asked: dict, fault: str):
    with pytest.raises(BadInput, match=fault):
        Asked(**asked)


def test_a_failure_midway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_, **__):
        raise OSError("disk full")

    write_series(tmp_path / "x.parquet", series())
    monkeypatch.setattr("tasks.clusters.draw_number", fail)
    with pytest.raises(OSError, match="disk full"):
        clusters(tmp_path / "x.parquet", tmp_path / "out", Asked(num_clusters=2))
    assert files_in(tmp_path) == {"x.parquet"}


def test_bad_input_is_answered_with_one_line(tmp_path: Path):
    write_series(tmp_path / "x.parquet", series(4))
    with pytest.raises(SystemExit, match=r"^clusters: --clusters: expected auto or a number, got 'many'$"):
        main(records=tmp_path / "x.parquet", out=tmp_path / "out", clusters_="many")


def test_the_methods_of_the_command_are_the_librarys():
    assert tuple(one.value for one in Kind) == METHODS
