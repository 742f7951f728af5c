"""A guard comes back from its file alone, and nothing else passes for one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mintmark import weights
from mintmark.anomaly import pca
from mintmark.anomaly.measurements import Rates
from mintmark.anomaly.model import STEP, Guard, coarse, fit_guard, load_guard, save_guard
from mintmark.errors import BadInput

IMAGES = torch.rand(30, 1, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def guard() -> Guard:
    return Guard(
        detector=pca.fit(IMAGES[:20], num_components=3),
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
    found = coarse({"low": 0.5, "unit": 2.0, "high": 3.0}, released_scores=released)
    assert found["low"] == found["unit"] == 2.0
    assert found["high"] == pytest.approx(2.0 * STEP**21)  # 1.02 ** 20 < 1.5 < 1.02 ** 21
    assert 3.0 <= found["high"] < 3.0 * STEP


def test_a_release_on_its_plane_has_a_scale_too():
    found = coarse({"novelty": 1.0}, released_scores=torch.zeros(3))
    assert 1.0 <= found["novelty"] < STEP


def fitted(calibration: torch.Tensor) -> Guard:
    rates = Rates(novelty=0.1, anomaly=0.05)
    return fit_guard(IMAGES[:20], calibration=calibration, num_components=3, rates=rates, classes=("cat", "dog"))


def test_a_guard_is_fitted_on_the_release_and_calibrated_by_others():
    calibration = torch.rand(19, 1, 4, 5, generator=torch.Generator().manual_seed(1)) * 2 - 1
    found = fitted(calibration)
    assert torch.equal(found.detector.mean, pca.fit(IMAGES[:20], num_components=3).mean)
    in_order = found.detector.score(calibration).sort().values
    for name, rank in (("novelty", 18), ("anomaly", 19)):  # ceil(20 * 0.9) and ceil(20 * 0.95)
        assert in_order[rank - 1] <= found.thresholds[name] < in_order[rank - 1] * STEP
    assert found.rates == {"novelty": 0.1, "anomaly": 0.05}


def test_an_alarm_that_the_calibration_does_not_resolve_is_left_out_but_for_novelty():
    assert set(fitted(IMAGES[:18]).thresholds) == {"novelty"}
    with pytest.raises(BadInput, match=r"at least 9 normals for a false-alarm rate of 0\.1, got 8"):
        fitted(IMAGES[:8])


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
