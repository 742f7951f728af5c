"""Weights come back bit for bit, with what rebuilds their model."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mintmark.errors import BadInput
from mintmark.weights import fill, load, save


def test_tensors_and_metadata_come_back_as_they_went(tmp_path: Path):
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "a.weight": torch.randn(3, 4, generator=generator),
        "steps": torch.tensor(7),
        "turned": torch.randn(5, 2, generator=generator).T,  # not contiguous
        "half": torch.randn(2, generator=generator).to(torch.bfloat16),
    }
    metadata = {"classes": ["cat", "é"], "shape": [8, 8, 1], "nested": {"rate": 0.5, "none": None}}
    save(tmp_path / "deep" / "w.safetensors", tensors, metadata)
    found, facts = load(tmp_path / "deep" / "w.safetensors")
    assert facts == metadata
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_weights_that_learn_are_saved_without_their_gradients(tmp_path: Path):
    save(tmp_path / "w", {"a": torch.ones(2, requires_grad=True)}, {})
    assert not load(tmp_path / "w")[0]["a"].requires_grad


def test_the_same_model_is_the_same_bytes_whatever_the_order_of_its_facts(tmp_path: Path):
    one, two = {"a": torch.ones(2), "b": torch.zeros(3)}, {"x": 1, "y": 2}
    save(tmp_path / "1", one, two)
    save(tmp_path / "2", dict(reversed(one.items())), dict(reversed(two.items())))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_pickle_a_missing_file_and_a_strange_one_are_refused(tmp_path: Path):
    torch.save({"a": torch.ones(2)}, tmp_path / "pickle")
    save_file({"a": torch.ones(2)}, tmp_path / "strange")
    for name in ("pickle", "missing"):
        with pytest.raises(BadInput, match=f"{name}: expected a safetensors file, got"):
            load(tmp_path / name)
    with pytest.raises(BadInput, match="strange: expected metadata under 'mintmark', got none"):
        load(tmp_path / "strange")


def test_the_weights_of_another_architecture_are_refused_by_file(tmp_path: Path):
    path = tmp_path / "layer.safetensors"
    save(path, torch.nn.Linear(3, 2).state_dict(), {})
    tensors, _ = load(path)
    fill(torch.nn.Linear(3, 2), tensors, path)
    with pytest.raises(BadInput, match=r"layer\.safetensors: expected the weights of a Linear, got others: "):
        fill(torch.nn.Linear(4, 2), tensors, path)
