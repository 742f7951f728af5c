"""The stage detect, from files to files."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.metrics import auc

from mintmark.anomaly.anogan import Search
from mintmark.anomaly.model import load_guard
from mintmark.data.images import read_images, write_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report
from mintmark.gan.model import save_discriminator, save_generator
from mintmark.gan.networks import Discriminator, Generator
from tasks.detect import Params, run

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("pca_residual", "nearest", "anogan")
OUTPUTS = ["detector.safetensors", "explain.png", "metrics.json", "report.json", "roc.csv", "roc.png"]
PARAMS = Params(
    seed=0,
    threads=1,
    device="cpu",
    level=0.95,
    false_alarm_rate=0.1,
    max_records=40,
    num_components=4,
    num_neighbours=1,
    corruptions={"erase_block": 0.6, "invert": 1.0},
    search=Search(num_steps=3, learning_rate=0.1, num_starts=2, bank_per_class=4, feature_weight=0.1, batch_size=64),
)


def write_networks(folder: Path, *, size: int = 8) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(size, size, 1), num_classes=3, latent_size=4, width=4)
        discriminator = Discriminator(shape=(size, size, 1), num_classes=3, width=4)
    classes = ("class-0", "class-1", "class-2")
    save_generator(folder / "generator.safetensors", generator, classes=classes, facts={})
    save_discriminator(folder / "discriminator.safetensors", discriminator, classes=classes, facts={})


@pytest.fixture
def data_dir(tmp_path: Path, toy_images) -> Path:
    for seed, (part, num) in enumerate((("train", 60), ("validation", 30), ("test", 60))):
        write_images(tmp_path / "data" / "split" / f"{part}.parquet", toy_images(num=num, seed=seed))
    write_networks(tmp_path / "data" / "train_gan")
    return tmp_path / "data"


def test_every_output_is_there_and_every_detector_is_measured(data_dir: Path):
    run(PARAMS, data_dir)
    assert sorted(one.name for one in (data_dir / "detect").iterdir()) == OUTPUTS
    report = read_report(data_dir / "detect")
    for kind in KINDS:
        for name in (f"{kind}_auroc", f"{kind}_auroc_invert", f"{kind}_normals_auroc", f"{kind}_false_alarm_rate"):
            found = report[name]
            assert found.value is not None
            assert found.low is not None
            assert found.high is not None
            assert found.low <= found.value <= found.high
    assert [report[f"{kind}_auroc"].n for kind in KINDS] == [60, 60, 60]
    assert [report[f"{kind}_false_alarm_rate"].n for kind in KINDS] == [30, 30, 30]
    assert set(json.loads((data_dir / "detect" / "metrics.json").read_text())) == {f"{kind}_auroc" for kind in KINDS}
    assert report.facts["records"] == {"calibration": 30, "normals": 30, "anomalies": {"erase_block": 15, "invert": 15}}
    assert report.cost == {"latent_search_steps": 3, "latents_searched": 180, "images_generated": 12 + 180 * 4}


def test_negatives_are_found_by_the_baselines_and_the_score_keeps_its_promise(data_dir: Path):
    run(PARAMS, data_dir)
    report = read_report(data_dir / "detect")
    for kind in ("pca_residual", "nearest"):
        assert report[f"{kind}_auroc_invert"].value == 1.0
        assert (report[f"{kind}_false_alarm_rate"].low or 0) <= 0.1


def test_the_generator_is_compared_with_each_baseline_on_the_same_records(data_dir: Path):
    run(PARAMS, data_dir)
    report = read_report(data_dir / "detect")
    for baseline in ("pca_residual", "nearest"):
        difference = (report["anogan_auroc"].value or 0) - (report[f"{baseline}_auroc"].value or 0)
        assert report[f"anogan_minus_{baseline}_auroc"].value == pytest.approx(difference, abs=1e-5)


def test_what_the_guard_gives_away_is_measured_on_its_training_records(data_dir: Path):
    run(PARAMS, data_dir)
    report, guard = read_report(data_dir / "detect"), load_guard(data_dir / "detect" / "detector.safetensors")
    fitted_on = guard.detector.score(read_images(data_dir / "split" / "train.parquet").tensors()[0])
    fresh = guard.detector.score(read_images(data_dir / "split" / "test.parquet").tensors()[0])
    assert report["pca_residual_member_auroc"].n == 30 + 40
    expected = (fresh[:, None] > fitted_on).float().mean().item()  # of all records; the stage takes some of each
    assert expected > 0.55
    assert report["pca_residual_member_auroc"].value == pytest.approx(expected, abs=0.1)


def test_the_guard_in_the_file_raises_the_alarms_that_the_report_counts(data_dir: Path):
    run(PARAMS, data_dir)
    report, guard = read_report(data_dir / "detect"), load_guard(data_dir / "detect" / "detector.safetensors")
    assert guard.threshold == pytest.approx(report.facts["thresholds"]["pca_residual"], rel=1e-5)
    validation, _ = read_images(data_dir / "split" / "validation.parquet").tensors()
    assert guard.alarms(validation).sum() == 30 - 28  # above the ceil(31 * 0.9) = 28th score
    train, _ = read_images(data_dir / "split" / "train.parquet").tensors()
    torch.testing.assert_close(guard.detector.mean, train.flatten(1).mean(dim=0))
    assert guard.classes == ("class-0", "class-1", "class-2")


def test_the_curves_have_the_areas_that_the_report_states(data_dir: Path):
    run(PARAMS, data_dir)
    report, table = read_report(data_dir / "detect"), pd.read_csv(data_dir / "detect" / "roc.csv")
    for kind in KINDS:
        curve = table[table["detector"] == kind]
        area = auc(curve["false_alarm_rate"], curve["detection_rate"])
        assert area == pytest.approx(report[f"{kind}_auroc"].value, abs=1e-4)


def test_the_same_inputs_give_the_same_bytes_and_another_seed_another_trial_and_bank(data_dir: Path):
    run(PARAMS, data_dir)
    thresholds = read_report(data_dir / "detect").facts["thresholds"]
    first = {name: (data_dir / "detect" / name).read_bytes() for name in OUTPUTS}
    run(PARAMS, data_dir)
    assert first == {name: (data_dir / "detect" / name).read_bytes() for name in OUTPUTS}
    run(dataclasses.replace(PARAMS, seed=1), data_dir)
    assert first["report.json"] != (data_dir / "detect" / "report.json").read_bytes()
    others = read_report(data_dir / "detect").facts["thresholds"]
    assert others["pca_residual"] == thresholds["pca_residual"]  # all validation records calibrate
    assert others["anogan"] != thresholds["anogan"]  # another bank


def test_the_report_holds_no_record_id(data_dir: Path):
    run(PARAMS, data_dir)
    text = "".join((data_dir / "detect" / name).read_text() for name in ("report.json", "metrics.json", "roc.csv"))
    for part in ("train", "validation", "test"):
        assert not any(one in text for one in read_images(data_dir / "split" / f"{part}.parquet").ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_components": 60}, "num_components: expected 1 to 59 with 60 normals"),
        ({"false_alarm_rate": 0.01}, "at least 99 calibration normals"),
    ],
)
def test_too_few_normals_are_refused_and_nothing_is_written(data_dir: Path, changes: dict, message: str):
    with pytest.raises(BadInput, match=message):
        run(dataclasses.replace(PARAMS, **changes), data_dir)
    assert not (data_dir / "detect").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"max_records": 0}, "max_records must be at least 1, got 0"),
        ({"false_alarm_rate": 0.0}, "false_alarm_rate must be between 0 and 1, got 0.0"),
        ({"level": 1.0}, "level must be between 0 and 1, got 1.0"),
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


def test_the_command_refuses_a_generator_of_another_shape_in_one_line_and_touches_nothing(data_dir: Path):
    write_networks(data_dir / "train_gan", size=10)
    (data_dir / "detect").mkdir()
    (data_dir / "detect" / "report.json").write_text("before")
    ended = start(data_dir.parent)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "detect: images: expected (height, width, channels) (10, 10, 1), the generator's, got (8, 8, 1)"
    ]
    assert [one.name for one in (data_dir / "detect").iterdir()] == ["report.json"]
    assert (data_dir / "detect" / "report.json").read_text() == "before"
