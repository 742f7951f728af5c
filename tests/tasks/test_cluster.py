"""The stage cluster, from files to files."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import save_file

from mintmark.cluster.model import load_clusters
from mintmark.cluster.number import Range
from mintmark.data.images import ImageSet, read_images, to_unit, write_images
from mintmark.data.records import Form, RecordWriter
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.fidelity.dinov2 import Dinov2
from mintmark.fidelity.measurements import WORDS
from tasks import ingest
from tasks import params as sections
from tasks.cluster import Params, run
from tests.tasks.clustering import PARAMS, write

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = {
    "prototypes.safetensors",
    "prototypes.png",
    "assignments.parquet",
    "aligned.parquet",
    "history.csv",
    "coverage.png",
    "number.png",
    "report.json",
    "metrics.json",
}


def test_stage_writes_clusters_pictures_and_a_report(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    folder = cluster_dir / "cluster"
    assert {path.name for path in folder.iterdir()} == OUTPUTS
    report = read_report(folder)
    assert report["dti_accuracy"].value == 1.0
    assert report["kmeans_accuracy"].value == 1.0
    assert report["dti_accuracy"].n == 81  # unlabelled records are clustered, but score nothing
    assert sum(row["records"] for row in report.facts["clusters"]) == 90
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["clusters_covered"] == report["clusters_covered"].value


def test_class_that_the_release_leaves_out_is_named_missed(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    report = read_report(cluster_dir / "cluster")
    (missed,) = report.facts["missed"]
    assert report.facts["clusters"][missed]["class"] == "class-0"
    assert report["clusters_missed"].value == 1
    assert report["coverage_min"].value == 0.0
    assert report["missed_when_removed"].value == 1.0


def test_every_measure_of_likeness_stands_beside_its_floor_at_the_same_n(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    report = read_report(cluster_dir / "cluster")
    for name in WORDS:
        judged, floor = report[f"trained_{name}"], report[f"trained_{name}_floor"]
        assert judged.control == floor.name
        assert judged.n == floor.n == (45 if name in {"copying_score", "authenticity"} else 15)
        for one in (judged, floor):
            assert one.level == 0.95
            assert one.value is not None
            assert one.low is not None
            assert one.high is not None
            assert one.low <= one.value <= one.high
    facts = report.facts["fidelity"]["trained"]
    assert (facts["sample_records"], facts["draws"], facts["train_records"]) == (15, 3, 90)
    assert report.cost["features_gradient_steps"] == 20.0


def test_a_release_without_a_class_lies_beyond_the_floor(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    report = read_report(cluster_dir / "cluster")
    excess = report.facts["fidelity"]["trained"]["excess"]
    assert excess["frechet_distance"]["low"] > 0
    assert excess["recall"]["high"] < 0
    assert excess["coverage"]["high"] < 0


def test_too_few_test_records_or_labels_leave_the_likeness_unmeasured_and_say_so(cluster_dir: Path, toy_images):
    write_images(cluster_dir / "split" / "test.parquet", toy_images(num=20, seed=2))
    run(PARAMS, cluster_dir)
    few = read_report(cluster_dir / "cluster")["trained_frechet_distance"]
    assert (few.value, few.n) == (None, 0)
    assert few.note == "Not measured: it needs 24 fresh real and 12 released records at least."
    train, path = read_images(cluster_dir / "split" / "train.parquet"), cluster_dir / "split" / "train.parquet"
    write_images(cluster_dir / "split" / "test.parquet", toy_images(num=120, seed=2))
    write_images(path, replace(train, codes=np.full(len(train), -1)))
    run(PARAMS, cluster_dir)
    none = read_report(cluster_dir / "cluster")["trained_recall"]
    assert (none.value, none.note) == (
        None,
        "Not measured: it needs labelled training records of two classes at least.",
    )


def test_settings_of_the_likeness_change_nothing_else(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    before = read_report(cluster_dir / "cluster")
    run(replace(PARAMS, fidelity=replace(PARAMS.fidelity, draws=2, neighbours=2)), cluster_dir)
    after = read_report(cluster_dir / "cluster")
    assert after["trained_recall"] != before["trained_recall"]
    others = [one for one in before.measurements if not one.name.startswith("trained_")]
    assert others == [one for one in after.measurements if not one.name.startswith("trained_")]


def test_weights_of_the_user_add_the_same_measures_in_their_features(cluster_dir: Path, tmp_path: Path):
    network = Dinov2(width=64, depth=1, patch=56, positions=16, hidden=32, registers=0)
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(one.shape, generator=generator) for name, one in network.state_dict().items()}
    save_file(weights, tmp_path / "tiny.safetensors")
    run(replace(PARAMS, fidelity=replace(PARAMS.fidelity, dinov2=str(tmp_path / "tiny.safetensors"))), cluster_dir)
    report = read_report(cluster_dir / "cluster")
    assert all(report[f"dinov2_{name}"].value is not None for name in WORDS)
    assert report.facts["fidelity"]["dinov2"]["features"] == 64
    assert str(tmp_path) not in (cluster_dir / "cluster" / "report.json").read_text()


def test_a_weights_file_that_is_missing_stops_the_stage_by_name(cluster_dir: Path, tmp_path: Path):
    absent = str(tmp_path / "absent.pth")
    with pytest.raises(BadInput, match=r"absent\.pth: expected a file of weights alone"):
        run(replace(PARAMS, fidelity=replace(PARAMS.fidelity, inception=absent)), cluster_dir)


def test_assignments_are_those_of_the_saved_clusters(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    clusters, facts = load_clusters(cluster_dir / "cluster" / "prototypes.safetensors")
    assigned = pq.read_table(cluster_dir / "cluster" / "assignments.parquet").to_pandas()
    paths = {"train": "split/train.parquet", "test": "split/test.parquet", "release": "anonymise/release.parquet"}
    for part, path in paths.items():
        records, rows = read_images(cluster_dir / path), assigned[assigned["part"] == part]
        again = clusters.assign(to_unit(records.images))
        assert rows["id"].tolist() == list(records.ids)
        assert rows["cluster"].tolist() == again.clusters.tolist()
        offsets = to_unit(records.images)[:, None] - clusters.prototypes
        assert rows["nearest"].tolist() == offsets.square().sum(dim=(2, 3, 4)).argmin(dim=1).tolist()
        assert np.allclose(rows["distance"], again.distances.numpy(), atol=1e-6)
    train = assigned[assigned["part"] == "train"]
    assert facts["records"] == np.bincount(train["cluster"], minlength=3).tolist()


def test_aligned_records_are_a_data_set_that_ingest_reads_back(cluster_dir: Path, tmp_path: Path):
    run(PARAMS, cluster_dir)
    path = cluster_dir / "cluster" / "aligned.parquet"
    written, assigned = read_images(path), pq.read_table(cluster_dir / "cluster" / "assignments.parquet").to_pandas()
    train = assigned[assigned["part"] == "train"]
    assert list(written.ids) == train["id"].tolist()
    assert written.codes.tolist() == train["cluster"].tolist()
    assert written.classes == ("0", "1", "2")
    section = YAML(typ="safe").load((ROOT / "params.yaml").read_text())["ingest"]
    section |= {"source": str(path), "format": "parquet", "columns": section["columns"] | {"id": "id"}}
    ingest.run(sections.build(ingest.Params, section, name="ingest"), tmp_path / "again")
    again = read_images(tmp_path / "again" / "ingest" / "records.parquet")
    assert list(again.ids) == list(written.ids)
    assert again.classes == written.classes
    assert np.array_equal(again.codes, written.codes)
    assert np.array_equal(again.images, written.images)


def test_number_is_chosen_where_a_range_is_given(cluster_dir: Path):
    run(replace(PARAMS, num_clusters=Range(least=2, most=4, rounds=3)), cluster_dir)
    report = read_report(cluster_dir / "cluster")
    assert report.facts["number"]["chosen"] == len(report.facts["clusters"]) == 3
    assert [one["num_clusters"] for one in report.facts["number"]["curve"]] == [2, 3, 4]


def test_no_number_is_invented_for_noise(tmp_path: Path):
    noise = np.random.default_rng(0).normal(128, 20, (90, 8, 8, 1)).clip(0, 255).astype(np.uint8)
    write(tmp_path, unlabelled(noise), unlabelled(noise), unlabelled(noise))
    with pytest.raises(BadInput, match=r"train\.parquet: expected clusters, found no number of them from 2 to 4"):
        run(replace(PARAMS, num_clusters=Range(least=2, most=4, rounds=2)), tmp_path)
    assert not (tmp_path / "cluster").exists()


def test_history_holds_every_start_at_every_look(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    history = pd.read_csv(cluster_dir / "cluster" / "history.csv")
    assert list(history.columns) == ["start", "step", "loss", "transformation"]
    assert history.groupby("step")["start"].apply(list).to_dict() == {step: [0, 1, 2] for step in (25, 50, 60)}


def test_same_inputs_give_the_same_bytes(cluster_dir: Path):
    names = sorted(OUTPUTS)
    run(PARAMS, cluster_dir)
    first = [(cluster_dir / "cluster" / name).read_bytes() for name in names]
    run(PARAMS, cluster_dir)
    assert [(cluster_dir / "cluster" / name).read_bytes() for name in names] == first


def test_labels_play_no_part_in_the_clusters(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    before, _ = load_clusters(cluster_dir / "cluster" / "prototypes.safetensors")
    path = cluster_dir / "split" / "train.parquet"
    train = read_images(path)
    shuffled = np.random.default_rng(0).permutation(train.codes)
    write_images(path, ImageSet(ids=train.ids, codes=shuffled, images=train.images, classes=train.classes))
    run(PARAMS, cluster_dir)
    after, _ = load_clusters(cluster_dir / "cluster" / "prototypes.safetensors")
    assert torch.equal(before.prototypes, after.prototypes)


def test_report_holds_no_record(cluster_dir: Path):
    run(PARAMS, cluster_dir)
    text = (cluster_dir / "cluster" / "report.json").read_text()
    assert not any(one in text for one in read_images(cluster_dir / "split" / "train.parquet").ids)


def test_section_of_params_yaml_is_of_this_form():
    assert sections.load("cluster", Params, path=ROOT / "params.yaml").num_clusters is None


def start(folder: Path, params: Params) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(json.dumps({"cluster": asdict(params)}))
    return subprocess.run(
        [sys.executable, "-m", "tasks.cluster"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def unlabelled(images: np.ndarray) -> ImageSet:
    ids = [str(row) for row in range(len(images))]
    return ImageSet(ids=ids, codes=np.full(len(images), -1), images=images, classes=())


NOISE = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("train", "release", "test", "num_clusters", "message"),
    [
        (
            np.zeros((30, 8, 8, 1), np.uint8),
            NOISE,
            NOISE,
            2,
            "expected at least 2 different records for 2 clusters, got 1",
        ),
        (NOISE, NOISE, NOISE, 31, "expected at least 31 records for 31 clusters, got 30"),
        (NOISE, NOISE, NOISE, None, "expected classes or a number in num_clusters, found neither"),
        (NOISE, NOISE[:, :4], NOISE, 2, "expected images of shape (8, 8, 1), got (4, 8, 1)"),
        (NOISE, NOISE, NOISE[:, :4], 2, "expected images of shape (8, 8, 1), got (4, 8, 1)"),
        (NOISE, NOISE, NOISE[:0], 2, "expected at least 1 record, got none"),
        (NOISE, NOISE[:3], NOISE, 2, "expected at least 4 records for 3 neighbours, got 3"),
        (NOISE[:7], NOISE, NOISE, 2, "expected at least 8 records for 3 neighbours, got 7"),
    ],
)
def test_bad_input_is_one_line_that_names_the_file(
    tmp_path: Path, monkeypatch, capsys, train, release, test, num_clusters, message
):
    write(tmp_path / "data", unlabelled(train), unlabelled(release), unlabelled(test))
    (tmp_path / "params.yaml").write_text(json.dumps({"cluster": asdict(replace(PARAMS, num_clusters=num_clusters))}))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        sections.main("cluster", Params, run)
    assert message in str(stopped.value)
    assert str(stopped.value).count("\n") == 0
    assert ".parquet: " in str(stopped.value)
    assert not (tmp_path / "data" / "cluster").exists()


def test_records_of_another_kind_end_with_one_line_and_leave_the_outputs_alone(tmp_path: Path, toy_images):
    write(tmp_path / "data", toy_images(), toy_images(), toy_images())
    form = Form(kind="table", classes=("a",), columns={"x": "double"})
    with RecordWriter(tmp_path / "data" / "split" / "train.parquet", form):
        pass
    earlier = tmp_path / "data" / "cluster" / "report.json"
    earlier.parent.mkdir()
    earlier.write_text("earlier")
    ended = start(tmp_path, PARAMS)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "got kind 'table', which this stage cannot serve" in ended.stderr
    assert earlier.read_text() == "earlier"
