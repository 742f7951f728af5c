"""The stage audit, from files to files, on toy data and tiny params."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mintmark.classify.model import save_classifier
from mintmark.classify.training import train_classifier
from mintmark.data.images import read_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.privacy.trials import THREATS
from tasks.audit import run
from tests.tasks.auditing import PARAMS, RECIPE, ROOT

PUBLIC = ("report.json", "metrics.json", "roc.csv", "roc.png")


@pytest.fixture(scope="module")
def audited(audit_dir: Path) -> Path:
    run(PARAMS, audit_dir)
    return audit_dir


def test_the_report_holds_what_release_rules_ask_for(audited: Path):
    report = read_report(audited / "audit")
    for threat in THREATS:
        for name in ("auc_bound", "tpr_bound", "detection_floor"):
            measured = report[f"{threat}_{name}"]
            assert measured.value is None or 0.0 <= measured.value <= 1.0
            assert measured.control
        assert isinstance(report.facts["conclusive"][threat], bool)
    for name in (
        "samples_nearest_auc",
        "samples_auxiliary_tpr",
        "classifier_confidence_auc",
        "generator_inversion_auc",
    ):
        assert report[name].low is not None
    assert report["discriminator_logit_reversed_tpr"].value is not None
    assert report.verdict in {"conclusive", "inconclusive"}
    kinds = {(control["threat"], control["kind"]) for control in report.facts["controls"]}
    assert kinds == {(threat, kind) for threat in THREATS for kind in ("positive", "negative")}


def test_the_worst_cluster_stands_beside_the_worst_class(audited: Path):
    report = read_report(audited / "audit")
    bound = report["samples_worst_cluster_auc_bound"]
    assert bound.value is not None
    assert bound.value > 0.5
    assert bound.n > 80
    assert report.facts["closer"]["samples"]["worst_cluster"]["group"] in {"cluster 0", "cluster 1"}


def test_records_without_a_cluster_stop_the_audit_by_file(audit_dir: Path, tmp_path: Path):
    data_dir = shutil.copytree(audit_dir, tmp_path / "data")
    path = data_dir / "cluster" / "assignments.parquet"
    pq.write_table(pq.read_table(path).slice(3), path)
    with pytest.raises(BadInput, match=r"assignments\.parquet: expected the clusters of all records .*, 3 are missing"):
        run(PARAMS, data_dir)


def test_no_epsilon_is_claimed_of_what_was_made_without_noise(audited: Path):
    claims = read_report(audited / "audit").facts["differential_privacy"]
    assert claims["unit"] == "one record of the training part"
    assert {name: claims[name]["epsilon"] for name in claims if name != "unit"} == dict.fromkeys(
        ("generator", "samples", "classifier", "samples_and_classifier")
    )
    assert "without noise" in claims["samples"]["reason"]


def test_honest_samples_are_near_chance_and_their_controls_come_out(audited: Path):
    report = read_report(audited / "audit")
    value = report["samples_auc_bound"].value
    assert value is not None
    assert value < 0.68
    assert report.facts["conclusive"]["samples"]


def test_no_id_of_a_record_is_in_any_public_file(audited: Path):
    ids = [one for name in ("train", "test", "reference", "validation") for one in _ids(audited, name)]
    for name in PUBLIC:
        content = (audited / "audit" / name).read_bytes()
        assert not any(one.encode() in content for one in ids)


def _ids(data_dir: Path, name: str) -> list[str]:
    return list(read_images(data_dir / "split" / f"{name}.parquet").ids)


def test_scores_of_records_are_private_and_complete(audited: Path):
    table = pq.read_table(audited / "audit" / "private" / "scores.parquet").to_pandas()
    found = table[(table.threat == "samples") & (table.attack == "nearest")]
    assert found[found.member].id.tolist() == _ids(audited, "train")
    assert found[~found.member].id.tolist() == _ids(audited, "test")
    assert set(table.threat) == set(THREATS)
    assert sorted(path.name for path in (audited / "audit").iterdir()) == sorted([*PUBLIC, "private"])


def test_only_so_many_records_are_searched_for_in_the_latent_space(audited: Path, tmp_path: Path):
    data_dir = shutil.copytree(audited, tmp_path / "data")
    search = replace(PARAMS.plan.search, max_records=20)
    run(replace(PARAMS, plan=replace(PARAMS.plan, search=search)), data_dir)
    counts = pq.read_table(data_dir / "audit" / "private" / "scores.parquet").to_pandas().groupby(["threat", "attack"])
    sizes = counts.size()
    assert set(sizes["generator"]) == {40}
    assert set(sizes["samples"]) == {len(_ids(audited, "train")) + len(_ids(audited, "test"))}


def test_workers_change_no_byte(audited: Path):
    before = {name: (audited / "audit" / name).read_bytes() for name in PUBLIC}
    run(replace(PARAMS, workers=2), audited)
    assert before == {name: (audited / "audit" / name).read_bytes() for name in PUBLIC}


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(json.dumps({"audit": asdict(PARAMS)}))
    return subprocess.run(
        [sys.executable, "-m", "tasks.audit"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_classifier_of_other_classes_is_refused_in_one_line(audit_dir: Path, tmp_path: Path, toy_images):
    data_dir = shutil.copytree(audit_dir, tmp_path / "data")
    shutil.rmtree(data_dir / "audit", ignore_errors=True)
    toys = toy_images()
    network = train_classifier(*toys.tensors(), num_classes=3, recipe=RECIPE, seed=0)
    save_classifier(data_dir / "evaluate" / "classifier.safetensors", network, classes=toys.classes, facts={})
    done = start(tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "classifier.safetensors" in done.stderr
    assert not (data_dir / "audit").exists()


@pytest.mark.parametrize(("key", "value"), [("workers", 0), ("false_failure", 1.0), ("max_records", 0)])
def test_a_wrong_param_is_named(key: str, value: float):
    with pytest.raises(ValueError, match=key):
        replace(PARAMS, **{key: value})  # type: ignore[arg-type]
