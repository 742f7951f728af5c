"""The stage: reports in; verdict, bundle and page out; refusals are results, bad input is one line."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from mintmark.anomaly import pca
from mintmark.anomaly.model import Guard, save_guard
from mintmark.classify.model import save_classifier
from mintmark.classify.networks import SmallCNN
from mintmark.data.images import ImageSet, synthetic_ids, write_images
from mintmark.errors import BadInput
from mintmark.evidence import write_report
from mintmark.release.manifest import read_manifest
from mintmark.release.search import gather, search
from tasks.params import load
from tasks.release import PARTS, Params, run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def params() -> Params:
    return load("release", Params, path=ROOT / "params.yaml")


@pytest.fixture(scope="module")
def make_data(tmp_path_factory, digits: ImageSet, stage_reports):
    """Makes a data folder in which every stage before release has done its work."""

    def make(changes: dict | None = None, *, planted: int | None = None) -> Path:
        data = tmp_path_factory.mktemp("data")
        for start, part in enumerate(PARTS):
            write_images(data / "split" / f"{part}.parquet", digits.take(np.arange(start, 400, 4)))
        images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
        if planted is not None:
            images[0] = digits.images[planted]
        moved = digits.take(np.arange(0, 400, 4))
        moved = replace(moved, images=np.roll(moved.images, 1, axis=1))
        write_images(data / "cluster" / "aligned.parquet", moved)
        ids = synthetic_ids(images, first=0)
        release = ImageSet(ids=ids, codes=np.arange(40) % 10, images=images, classes=digits.classes)
        write_images(data / "anonymise" / "release.parquet", release)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = SmallCNN((8, 8, 1), 10, 4)
        save_classifier(data / "evaluate" / "classifier.safetensors", network, classes=digits.classes, facts={})
        plane = pca.fit(release.tensors()[0], num_components=3)
        guard = Guard(detector=plane, thresholds={"novelty": 9.0}, rates={"novelty": 0.05}, classes=digits.classes)
        save_guard(data / "detect" / "detector.safetensors", guard)
        for stage, report in {**stage_reports, **(changes or {})}.items():
            write_report(report, data / stage)
        return data

    return make


@pytest.fixture(scope="module")
def released(make_data, params) -> Path:
    data = make_data()
    run(params, data)
    return data


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_release_writes_verdict_bundle_and_page(released: Path):
    verdict = json.loads((released / "release" / "verdict.json").read_text())
    assert verdict["released"] is True
    assert verdict["set"] == ["samples", "classifier"]
    assert {"model/classifier.onnx", "model/guard.safetensors", "README.md"} < set(
        read_manifest(released / "release" / "bundle")
    )
    assert "Released: " in (released / "release" / "index.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in (released / "release").iterdir()) == ["bundle", "index.html", "verdict.json"]


def test_each_rule_states_what_it_measured_and_why(released: Path):
    rules = json.loads((released / "release" / "verdict.json").read_text())["rules"]
    rule = next(one for one in rules if one["measurement"] == "share_difference")
    assert {key: rule[key] for key in ("value", "low", "high", "n", "limit", "passed", "judged")} == {
        "value": -0.011,
        "low": -0.024,
        "high": 0.002,
        "n": 539,
        "limit": -0.05,
        "passed": True,
        "judged": -0.024,
    }
    assert all(one["because"] and one["name"] for one in rules)


def test_the_bundle_holds_no_real_record(released: Path):
    real = gather([released / "split" / f"{part}.parquet" for part in PARTS])
    assert len(real) == 400
    assert search(released / "release" / "bundle", real) == []


def test_the_bundle_holds_none_of_the_aligned_training_records(released: Path, tmp_path: Path):
    aligned = released / "cluster" / "aligned.parquet"
    real = gather([aligned])
    assert len(real) == 100
    assert search(released / "release" / "bundle", real) == []
    bundle = tmp_path / "bundle"
    shutil.copytree(released / "release" / "bundle", bundle)
    shutil.copy(aligned, bundle)
    assert search(bundle, real) != []
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert [name for name, stage in stages.items() if "data/cluster/aligned.parquet" in stage["deps"]] == []


def test_equal_inputs_give_equal_bytes_and_no_path(released: Path, make_data, params: Params):
    again = make_data()
    run(params, again)
    first = contents_of(released / "release")
    assert first == contents_of(again / "release")
    assert not any(str(folder).encode() in content for content in first.values() for folder in (released, again))


def test_the_table_of_the_verdict_closes_the_log(make_data, params: Params, stage_reports, measured, capsys):
    audit = measured(stage_reports["audit"], "samples_tpr_bound", value=0.3)
    data = make_data({"audit": audit})
    run(params, data)
    said = capsys.readouterr().out
    assert 'Refused, because the rule "attacks on the synthetic data name few members" does not hold' in said
    assert "30.0%" in said
    assert "at most 5.0%" in said
    assert "FAIL" in said


def test_a_refusal_leaves_evidence_alone_and_no_old_bundle(make_data, params: Params, stage_reports):
    data = make_data({"audit": replace(stage_reports["audit"], facts={})})
    (data / "release" / "bundle" / "data").mkdir(parents=True)
    (data / "release" / "bundle" / "data" / "old.parquet").write_text("of an earlier release")
    run(params, data)
    verdict = json.loads((data / "release" / "verdict.json").read_text())
    assert verdict["released"] is False
    assert verdict["work_on"]["rule"] == "the audit of the synthetic data can be trusted"
    assert all(name.startswith("evidence/") for name in read_manifest(data / "release" / "bundle"))


def test_a_real_record_among_the_synthetic_ones_refuses_the_release(make_data, params: Params):
    data = make_data(planted=6)
    run(params, data)
    verdict = json.loads((data / "release" / "verdict.json").read_text())
    assert verdict["released"] is False
    assert verdict["work_on"]["rule"] == "no real record is among the synthetic ones"
    real = gather([data / "split" / f"{part}.parquet" for part in PARTS])
    assert search(data / "release" / "bundle", real) == []


def test_a_record_that_the_rules_let_through_is_never_put_down(make_data, params: Params):
    blind = tuple(rule for rule in params.rules if rule["stage"] != "release")
    data = make_data(planted=6)
    with pytest.raises(RuntimeError, match="must hold no real record, found"):
        run(replace(params, rules=blind), data)
    assert not (data / "release" / "bundle").exists()


def test_pictures_of_the_stages_are_shown_inside_and_never_in_the_bundle(
    make_data, params: Params, stage_reports, digits
):
    from mintmark.release.pictures import encode_png, sheet

    data = make_data({"audit": replace(stage_reports["audit"], facts={})})
    (data / "train_gan" / "samples.png").write_bytes(encode_png(sheet(digits.images[:20], columns=10)))
    run(params, data)
    assert "What the generator draws." in (data / "release" / "index.html").read_text(encoding="utf-8")
    real = gather([data / "split" / f"{part}.parquet" for part in PARTS])
    assert search(data / "release" / "bundle", real) == []
    assert search(data / "train_gan", real)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sets": (("generator",),)}, "'generator'"),
        ({"min_records": 0}, "min_records must be at least 1"),
        ({"decimals": 9}, "decimals must be 1 to 6"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_wrong_params_are_refused_by_name(params: Params, change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        replace(params, **change)


def test_a_rule_on_an_unknown_stage_is_refused(params: Params):
    rule = {**params.rules[0], "stage": "evalute"}
    with pytest.raises(ValueError, match=r"rules must name stages among .*evalute"):
        replace(params, rules=(rule, *params.rules[1:]))


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "tasks.release"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_report_is_one_line_and_leaves_the_old_release(make_data):
    data = make_data()
    (data / "audit" / "report.json").unlink()
    (data / "release").mkdir()
    (data / "release" / "verdict.json").write_text("old")
    YAML().dump(YAML(typ="safe").load(ROOT / "params.yaml"), data.parent / "params.yaml")
    (data.parent / "data").symlink_to(data)
    done = start(data.parent)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("release: data/audit/report.json: expected a report")
    assert [path.name for path in (data / "release").iterdir()] == ["verdict.json"]
    assert (data / "release" / "verdict.json").read_text() == "old"


def test_a_rule_with_a_wrong_key_is_bad_input(tmp_path):
    section = YAML(typ="safe").load(ROOT / "params.yaml")
    section["release"]["rules"][0]["limit"] = 3
    YAML().dump(section, tmp_path / "params.yaml")
    with pytest.raises(BadInput, match=r"params.yaml: release.rule '.*': unknown keys \['limit'\]"):
        load("release", Params, path=tmp_path / "params.yaml")
