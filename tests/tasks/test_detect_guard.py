"""The guard that the stage detect hands out: fitted on the release alone, and what it gives away."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from mintmark.anomaly.model import STEP, load_guard
from mintmark.data.images import write_images
from mintmark.evidence import read_report
from tasks.detect import run
from tests.tasks.detecting import PARAMS, images_of


def test_what_the_guard_gives_away_is_measured_on_training_records(detect_dir: Path):
    run(PARAMS, detect_dir)
    report, guard = read_report(detect_dir / "detect"), load_guard(detect_dir / "detect" / "detector.safetensors")
    train = guard.detector.score(images_of(detect_dir / "split" / "train.parquet"))
    fresh = guard.detector.score(images_of(detect_dir / "split" / "test.parquet"))
    assert report["guard_member_auroc"].n == 30 + 40
    expected = (fresh[:, None] > train).float().mean().item()  # of all records; the stage takes some of each
    assert report["guard_member_auroc"].value == pytest.approx(expected, abs=0.1)


def test_the_guard_is_the_same_whoever_was_trained_on_if_the_release_is_the_same(detect_dir: Path, toy_images):
    run(PARAMS, detect_dir)
    guard = (detect_dir / "detect" / "detector.safetensors").read_bytes()
    report = (detect_dir / "detect" / "report.json").read_bytes()
    write_images(detect_dir / "split" / "train.parquet", toy_images(num=50, seed=9))
    run(PARAMS, detect_dir)
    assert (detect_dir / "detect" / "report.json").read_bytes() != report
    assert (detect_dir / "detect" / "detector.safetensors").read_bytes() == guard


def test_of_the_validation_records_the_guard_holds_no_more_than_a_step_of_a_scale(detect_dir: Path, toy_images):
    run(PARAMS, detect_dir)
    first = load_guard(detect_dir / "detect" / "detector.safetensors")
    write_images(detect_dir / "split" / "validation.parquet", toy_images(num=40, seed=9))
    run(PARAMS, detect_dir)
    second = load_guard(detect_dir / "detect" / "detector.safetensors")
    assert torch.equal(first.detector.components, second.detector.components)
    assert torch.equal(first.detector.mean, second.detector.mean)
    steps = math.log(second.thresholds["novelty"] / first.thresholds["novelty"], STEP)
    assert steps == pytest.approx(round(steps), abs=1e-6)


def test_another_release_gives_another_guard(detect_dir: Path, toy_images):
    run(PARAMS, detect_dir)
    guard = load_guard(detect_dir / "detect" / "detector.safetensors")
    torch.testing.assert_close(
        guard.detector.mean, images_of(detect_dir / "anonymise" / "release.parquet").flatten(1).mean(dim=0)
    )
    made = toy_images(num=80, seed=8)
    write_images(detect_dir / "anonymise" / "release.parquet", made)
    run(PARAMS, detect_dir)
    other = load_guard(detect_dir / "detect" / "detector.safetensors")
    assert not torch.equal(guard.detector.mean, other.detector.mean)


def test_the_guard_in_the_file_raises_the_alarms_that_the_report_counts(detect_dir: Path):
    run(dataclasses.replace(PARAMS, max_records=100, corruptions={"invert": 1.0}), detect_dir)
    report, guard = read_report(detect_dir / "detect"), load_guard(detect_dir / "detect" / "detector.safetensors")
    assert guard.thresholds["novelty"] == pytest.approx(report.facts["thresholds"]["guard"]["novelty"], rel=1e-5)
    inverted = -images_of(detect_dir / "split" / "test.parquet")
    assert guard.alarms(inverted, name="novelty").float().mean() == report["guard_novelty_detection_rate"].value == 1.0
    validation = images_of(detect_dir / "split" / "validation.parquet")
    assert guard.alarms(validation, name="novelty").float().mean() <= 0.2
    assert guard.classes == ("class-0", "class-1", "class-2")
