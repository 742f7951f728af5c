"""A guard comes back from its file alone, and nothing else passes for one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mintmark import weights
from mintmark.anomaly.model import STEP, Guard, coarse, fit_detector, load_guard, save_guard
from mintmark.errors import BadInput

IMAGES = torch.rand(30, 1, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def guard() -> Guard:
    return Guard(
        detector=fit_detector(IMAGES[:20], num_components=3),
        thresholds={"novelty": 0.7, "anomaly": 0.9},
        rates={"novelty": 0.05, "anomaly": 0.01},
        classes=("cat", "dog"),
    )


def test_a_guard_comes_back_whole_from_its_file(tmp_path: Path, guard: Guard):
    save_guard(tmp_path / "detector.safetensors", guard)
    loaded = load_guard(tmp_path / "detector.safetensors")
    assert torch.equal(loaded.detector.score(IMAGES), guard.detector.score(IMAGES))
    assert loaded.detector.shape == (4, 5, 1)
    assert loaded.thresholds == {"novelty": 0.7, "anomaly": 0.9}
    assert loaded.rates == {"novelty": 0.05, "anomaly": 0.01}
    assert loaded.classes == ("cat", "dog")


def test_a_guard_raises_an_alarm_above_its_threshold(guard: Guard):
    scores = guard.detector.score(IMAGES)
    split = replace(guard, thresholds={"novelty": scores.median().item(), "anomaly": scores.max().item()})
    raised = split.alarms(IMAGES, name="novelty")
    assert raised.sum() == 15
    assert scores[raised].min() > scores[~raised].max()
    assert not split.alarms(IMAGES, name="anomaly").any()


def test_thresholds_are_rounded_up_by_less_than_a_step_of_the_release_s_scale():
    released = torch.tensor([1.0, 2.0, 7.0])
    found = coarse({"low": 0.5, "unit": 2.0, "high": 3.0, "none": None}, released_scores=released)
    assert found["low"] == found["unit"] == 2.0
    assert found["none"] is None
    assert found["high"] is not None
    assert found["high"] == pytest.approx(2.0 * STEP**21)  # 1.02 ** 20 < 1.5 < 1.02 ** 21
    assert 3.0 <= found["high"] < 3.0 * STEP


def test_a_release_on_its_plane_has_a_scale_too():
    found = coarse({"novelty": 1.0}, released_scores=torch.zeros(3))
    assert found["novelty"] is not None
    assert 1.0 <= found["novelty"] < STEP


def test_the_file_holds_the_plane_and_no_record(tmp_path: Path, guard: Guard):
    save_guard(tmp_path / "detector.safetensors", guard)
    tensors, _ = weights.load(tmp_path / "detector.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {"mean": (20,), "components": (3, 20)}


def test_another_kind_is_refused(tmp_path: Path):
    weights.save(tmp_path / "other.safetensors", {"mean": torch.zeros(1)}, {"kind": "conditional-generator"})
    with pytest.raises(BadInput, match="expected a detector of kind 'pca_residual', got 'conditional-generator'"):
        load_guard(tmp_path / "other.safetensors")


@pytest.mark.parametrize("missing", ["kind", "thresholds", "rates", "shape", "mean", "components"])
def test_a_file_that_lacks_a_part_is_refused_by_name(tmp_path: Path, guard: Guard, missing: str):
    save_guard(tmp_path / "whole.safetensors", guard)
    tensors, facts = weights.load(tmp_path / "whole.safetensors")
    tensors.pop(missing, None)
    facts.pop(missing, None)
    weights.save(tmp_path / "broken.safetensors", tensors, facts)
    with pytest.raises(BadInput, match=f"expected a detector, found no '{missing}' in it"):
        load_guard(tmp_path / "broken.safetensors")
