"""The stage detect, from files to files."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import auc

from mintmark.anomaly.descent import Training
from mintmark.anomaly.family import MODULES, PcaRecipe
from mintmark.anomaly.measurements import Rates
from mintmark.anomaly.model import load_guard
from mintmark.data.images import read_images, write_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from tasks.detect import run
from tests.tasks.detecting import DEFAULT, JUDGED, KINDS, PARAMS, ROOT, write_networks

OUTPUTS = [
    "detector.safetensors",
    "explain.png",
    "metrics.json",
    "reject.csv",
    "reject.png",
    "report.json",
    "roc.csv",
    "roc.png",
    "suspects.parquet",
    "tsne.png",
]


def test_every_output_is_there_and_every_detector_is_measured(detect_dir: Path):
    run(PARAMS, detect_dir)
    assert sorted(one.name for one in (detect_dir / "detect").iterdir()) == OUTPUTS
    report = read_report(detect_dir / "detect")
    for kind in JUDGED:
        for name in (
            f"{kind}_auroc",
            f"{kind}_auroc_invert",
            f"{kind}_normals_auroc",
            f"{kind}_novelty_detection_rate",
        ):
            found = report[name]
            assert found.value is not None
            assert found.low is not None
            assert found.high is not None
            assert found.low <= found.value <= found.high
    assert [report[f"{kind}_auroc"].n for kind in JUDGED] == [60] * 5
    assert [report[f"{kind}_novelty_false_alarm_rate"].n for kind in JUDGED] == [30] * 5
    assert set(json.loads((detect_dir / "detect" / "metrics.json").read_text())) == {f"{kind}_auroc" for kind in JUDGED}
    assert report.facts["records"] == {
        "references": 20,
        "calibration": 20,
        "normals": 30,
        "anomalies": {"erase_block": 15, "invert": 15},
    }
    assert report.cost == {"latent_search_steps": 3, "latents_searched": 200, "images_generated": 12 + (200 + 24) * 4}


def test_negatives_are_found_by_the_baselines_and_the_score_keeps_its_promise(detect_dir: Path):
    run(PARAMS, detect_dir)
    report = read_report(detect_dir / "detect")
    for kind in ("pca_residual", "nearest", "combination", "guard"):
        assert report[f"{kind}_auroc_invert"].value == 1.0
        assert (report[f"{kind}_novelty_false_alarm_rate"].low or 0) <= 0.1


def test_a_rate_that_the_calibration_records_do_not_resolve_is_said_to_be_unresolved(detect_dir: Path):
    run(PARAMS, detect_dir)
    report, guard = read_report(detect_dir / "detect"), load_guard(detect_dir / "detect" / "detector.safetensors")
    for kind in JUDGED:
        found = report[f"{kind}_anomaly_false_alarm_rate"]
        assert found.value is None
        assert "cannot be resolved: a rate of 2.0% takes at least 49 validation records, got 20" in found.note
    assert report.facts["thresholds"]["nearest"]["anomaly"] is None
    assert report.facts["false_alarm_rates"]["anomaly"] == {"asked": 0.02, "spread": None}
    assert set(guard.thresholds) == {"novelty"}


def test_every_kind_of_the_family_can_take_part(detect_dir: Path):
    few = Training(steps=2, batch_size=16, learning_rate=1e-3, weight_decay=0.0)
    recipes = DEFAULT.recipes
    trained = {
        kind: dataclasses.replace(getattr(recipes, kind), width=8, training=few)
        for kind in ("autoencoder", "vae", "hybrid", "memory", "moves", "fanogan")
    }
    svdd = dataclasses.replace(recipes.deep_svdd, width=8, pretraining=few, training=few)
    recipes = dataclasses.replace(recipes, **trained, deep_svdd=svdd, anogan=PARAMS.recipes.anogan)
    kinds = tuple(MODULES)
    run(dataclasses.replace(PARAMS, detectors=kinds, recipes=recipes), detect_dir)
    report = read_report(detect_dir / "detect")
    assert report.headline == tuple(f"{kind}_auroc" for kind in (*kinds, "guard"))


def test_who_uses_the_generator_or_other_detectors_is_compared_with_each_simpler_one_on_the_same_records(
    detect_dir: Path,
):
    run(PARAMS, detect_dir)
    report = read_report(detect_dir / "detect")
    compared = {one.name for one in report.measurements if "_minus_" in one.name and one.name.endswith("_auroc")}
    pairs = [("anogan", "pca_residual"), ("anogan", "nearest"), ("guard", "pca_residual")]
    pairs += [("combination", other) for other in KINDS[:3]]
    assert compared == {f"{kind}_minus_{other}_auroc" for kind, other in pairs}
    for kind, other in pairs:
        difference = (report[f"{kind}_auroc"].value or 0) - (report[f"{other}_auroc"].value or 0)
        assert report[f"{kind}_minus_{other}_auroc"].value == pytest.approx(difference, abs=1e-5)


def test_the_curves_have_the_areas_that_the_report_states(detect_dir: Path):
    run(PARAMS, detect_dir)
    report, table = read_report(detect_dir / "detect"), pd.read_csv(detect_dir / "detect" / "roc.csv")
    for kind in JUDGED:
        curve = table[table["detector"] == kind]
        area = auc(curve["false_alarm_rate"], curve["detection_rate"])
        assert area == pytest.approx(report[f"{kind}_auroc"].value, abs=1e-4)


def test_the_same_inputs_give_the_same_bytes_and_another_seed_another_trial_and_bank(detect_dir: Path):
    run(PARAMS, detect_dir)
    thresholds = read_report(detect_dir / "detect").facts["thresholds"]
    first = {name: (detect_dir / "detect" / name).read_bytes() for name in OUTPUTS}
    run(PARAMS, detect_dir)
    assert first == {name: (detect_dir / "detect" / name).read_bytes() for name in OUTPUTS}
    run(dataclasses.replace(PARAMS, seed=1), detect_dir)
    assert first["report.json"] != (detect_dir / "detect" / "report.json").read_bytes()
    assert read_report(detect_dir / "detect").facts["thresholds"]["anogan"] != thresholds["anogan"]


def test_the_report_holds_no_record_id(detect_dir: Path):
    run(PARAMS, detect_dir)
    text = "".join(
        (detect_dir / "detect" / name).read_text() for name in ("report.json", "metrics.json", "roc.csv", "reject.csv")
    )
    for part in ("train", "validation", "test"):
        assert not any(one in text for one in read_images(detect_dir / "split" / f"{part}.parquet").ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"guard": PcaRecipe(num_components=65)}, "num_components: expected 1 to 64 with 90 normals"),
        (
            {"rates": Rates(novelty=0.01, anomaly=0.001)},
            r"calibration: expected at least 99 normals .* of 0\.01, got 20",
        ),
        ({"reference_share": 0.4}, "held_out: expected at least 20 normals, got 16"),
    ],
)
def test_too_few_normals_are_refused_and_nothing_is_written(detect_dir: Path, changes: dict, message: str):
    with pytest.raises(BadInput, match=message):
        run(dataclasses.replace(PARAMS, **changes), detect_dir)
    assert not (detect_dir / "detect").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"max_records": 0}, "max_records must be at least 1, got 0"),
        ({"reference_share": 1.0}, "reference_share must be between 0 and 1, got 1.0"),
        ({"detectors": ("nearest", "nearest")}, "detectors must be some of .*, each once"),
        ({"level": 1.0}, "level must be between 0 and 1, got 1.0"),
        ({"corrupted_share": 0.0}, "corrupted_share must be between 0 and 1, got 0.0"),
        ({"corruptions": {}}, "corruptions must be some of"),
        ({"corruptions": {"melt": 0.5}}, r"corruptions must be some of \[.*\], got \['melt'\]"),
        ({"corruptions": {"invert": 1.5}}, "corruptions.invert must be above 0 and at most 1, got 1.5"),
    ],
)
def test_params_out_of_range_are_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PARAMS, **changes)


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(json.dumps({"detect": dataclasses.asdict(PARAMS)}))
    return subprocess.run(
        [sys.executable, "-m", "tasks.detect"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_refuses_a_generator_of_another_shape_in_one_line_and_touches_nothing(detect_dir: Path):
    write_networks(detect_dir / "train_gan", size=10)
    (detect_dir / "detect").mkdir()
    (detect_dir / "detect" / "report.json").write_text("before")
    ended = start(detect_dir.parent)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "detect: images: expected (height, width, channels) (10, 10, 1), the generator's, got (8, 8, 1)"
    ]
    assert [one.name for one in (detect_dir / "detect").iterdir()] == ["report.json"]
    assert (detect_dir / "detect" / "report.json").read_text() == "before"


def test_wrong_labels_and_strangers_among_the_training_records_are_listed(detect_dir: Path):
    path = detect_dir / "split" / "train.parquet"
    train = read_images(path)
    codes, images = train.codes.copy(), train.images.copy()
    codes[7], images[11] = (codes[7] + 1) % 3, 255 - images[11]
    write_images(path, dataclasses.replace(train, codes=codes, images=images))
    run(PARAMS, detect_dir)
    suspects = pd.read_parquet(detect_dir / "detect" / "suspects.parquet").set_index(["why", "id"])
    assert suspects.loc[("wrong label", train.ids[7]), "likelier"] == train.classes[train.codes[7]]
    assert suspects.loc["outlier"].index[0] == train.ids[11]
    found = read_report(detect_dir / "detect")
    for kind in ("wrong_labels", "outliers"):
        precision = found[f"{kind}_average_precision"].value
        assert precision is not None
        assert precision > 0.4  # a tenth is planted
