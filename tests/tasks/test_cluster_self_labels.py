"""The stage cluster with self-labels: what networks say stands everywhere, and the model file holds prototypes alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from ruamel.yaml import YAML

from mintmark.cluster import self_labels
from mintmark.cluster.model import load_clusters
from mintmark.data.images import read_images, to_unit
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from tasks import params as sections
from tasks.cluster import Params, run
from tests.tasks.clustering import PARAMS

ROOT = Path(__file__).resolve().parents[2]
TWICE = replace(PARAMS, self_labels=replace(PARAMS.self_labels, rounds=2))


def clusters_of(cluster_dir: Path, part: str) -> np.ndarray:
    assigned = pq.read_table(cluster_dir / "cluster" / "assignments.parquet").to_pandas()
    return assigned[assigned["part"] == part]["cluster"].to_numpy()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[self_labels.Findings]:
    """What the stage's self-labelling found, after every fifteenth record was put into another cluster."""
    kept: list[self_labels.Findings] = []

    def spied(fit, images, **named):
        spoilt = fit.clusters.clone()
        spoilt[:, ::15] = (spoilt[:, ::15] + 1) % 3
        kept.append(self_labels.self_labelled(fit._replace(clusters=spoilt), images, **named))
        return kept[-1]

    monkeypatch.setattr("tasks.cluster.self_labelled", spied)
    return kept


def test_what_networks_say_stands_in_every_output(cluster_dir: Path, found):
    run(TWICE, cluster_dir)
    (one,) = found
    train = read_images(cluster_dir / "split" / "train.parquet")
    clusters = clusters_of(cluster_dir, "train")
    assert clusters.tolist() == one.fit.clusters[int(one.fit.losses.argmin())].tolist()
    assert read_images(cluster_dir / "cluster" / "aligned.parquet").codes.tolist() == clusters.tolist()
    fresh = read_images(cluster_dir / "split" / "test.parquet")
    assert clusters_of(cluster_dir, "test").tolist() == one.fit.best.assign(to_unit(fresh.images)).clusters.tolist()
    report = read_report(cluster_dir / "cluster")
    assert (report["dti_accuracy"].value or 0) > 0.96  # what was spoilt to .93 is mended
    assert [row["records"] for row in report.facts["clusters"]] == np.bincount(clusters, minlength=3).tolist()
    assert sum(row["records"] for row in report.facts["clusters"]) == len(train)


def test_the_report_says_what_each_round_did(cluster_dir: Path, found):
    run(TWICE, cluster_dir)
    report = read_report(cluster_dir / "cluster")
    said = report.facts["self_labels"]
    assert said == json.loads(json.dumps(found[0].as_json()), parse_float=lambda text: float(f"{float(text):.6g}"))
    assert said["moved"][0] > 0
    assert report.cost["dti_self_label_steps"] == len(said["moved"]) * 3 * 30


def test_without_rounds_the_prototypes_are_the_same_and_the_report_is_silent(cluster_dir: Path):
    prototypes, histories, silent = [], [], []
    for params in (PARAMS, TWICE):
        run(params, cluster_dir)
        clusters, _ = load_clusters(cluster_dir / "cluster" / "prototypes.safetensors")
        report = read_report(cluster_dir / "cluster")
        prototypes.append(clusters.prototypes)
        histories.append((cluster_dir / "cluster" / "history.csv").read_bytes())
        silent.append("self_labels" not in report.facts and "dti_self_label_steps" not in report.cost)
    assert torch.equal(*prototypes)
    assert histories[0] == histories[1]
    assert silent == [True, False]


def test_same_inputs_give_the_same_bytes(cluster_dir: Path):
    names = ("assignments.parquet", "report.json", "aligned.parquet", "prototypes.png")
    contents = []
    for _ in range(2):
        run(TWICE, cluster_dir)
        contents.append([(cluster_dir / "cluster" / name).read_bytes() for name in names])
    assert contents[0] == contents[1]


def test_fewer_records_than_folds_name_the_file(cluster_dir: Path):
    many = replace(TWICE.self_labels, folds=replace(TWICE.self_labels.folds, number=91))
    with pytest.raises(BadInput, match=r"train\.parquet: records: expected at least 91, one a fold, got 90"):
        run(replace(TWICE, self_labels=many), cluster_dir)


def test_a_share_out_of_range_is_named_by_its_key():
    section = YAML(typ="safe").load((ROOT / "params.yaml").read_text())["cluster"]
    section["self_labels"]["least_kept"] = 2.0
    with pytest.raises(ValueError, match=r"cluster\.self_labels\.least_kept must be above 0 and at most 1, got 2.0"):
        sections.build(Params, section, name="cluster")
