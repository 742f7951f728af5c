"""A guard comes back from its file alone, and nothing else passes for one."""

from pathlib import Path

import pytest
import torch

from mintmark import weights
from mintmark.anomaly.model import Guard, load_guard, save_guard
from mintmark.anomaly.pca import fit
from mintmark.errors import BadInput

IMAGES = torch.rand(30, 1, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def guard() -> Guard:
    return Guard(
        detector=fit(IMAGES[:20], num_components=3), threshold=0.7, false_alarm_rate=0.05, classes=("cat", "dog")
    )


def test_a_guard_comes_back_whole_from_its_file(tmp_path: Path, guard: Guard):
    save_guard(tmp_path / "detector.safetensors", guard)
    loaded = load_guard(tmp_path / "detector.safetensors")
    assert torch.equal(loaded.detector.score(IMAGES), guard.detector.score(IMAGES))
    assert loaded.detector.shape == (4, 5, 1)
    assert (loaded.threshold, loaded.false_alarm_rate, loaded.classes) == (0.7, 0.05, ("cat", "dog"))


def test_a_guard_raises_an_alarm_above_its_threshold(guard: Guard):
    scores = guard.detector.score(IMAGES)
    middle = Guard(
        detector=guard.detector, threshold=scores.median().item(), false_alarm_rate=0.5, classes=guard.classes
    )
    raised = middle.alarms(IMAGES)
    assert raised.sum() == 15
    assert scores[raised].min() > scores[~raised].max()


def test_the_file_holds_the_plane_and_no_record(tmp_path: Path, guard: Guard):
    save_guard(tmp_path / "detector.safetensors", guard)
    tensors, _ = weights.load(tmp_path / "detector.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {"mean": (20,), "components": (3, 20)}


def test_another_kind_is_refused(tmp_path: Path):
    weights.save(tmp_path / "other.safetensors", {"mean": torch.zeros(1)}, {"kind": "conditional-generator"})
    with pytest.raises(BadInput, match="expected a detector of kind 'pca_residual', got 'conditional-generator'"):
        load_guard(tmp_path / "other.safetensors")


@pytest.mark.parametrize("missing", ["kind", "threshold", "shape", "mean", "components"])
def test_a_file_that_lacks_a_part_is_refused_by_name(tmp_path: Path, guard: Guard, missing: str):
    save_guard(tmp_path / "whole.safetensors", guard)
    tensors, facts = weights.load(tmp_path / "whole.safetensors")
    tensors.pop(missing, None)
    facts.pop(missing, None)
    weights.save(tmp_path / "broken.safetensors", tensors, facts)
    with pytest.raises(BadInput, match=f"expected a detector, found no '{missing}' in it"):
        load_guard(tmp_path / "broken.safetensors")
