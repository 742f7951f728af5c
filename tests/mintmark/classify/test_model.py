"""A classifier and its file: what is read back answers as what was written."""

from pathlib import Path

import pytest
import torch

from mintmark import weights
from mintmark.classify.model import load_classifier, logits, save_classifier
from mintmark.classify.networks import SmallCNN
from mintmark.errors import BadInput

IMAGES = torch.linspace(-1, 1, 7 * 64).reshape(7, 1, 8, 8)


def trained() -> SmallCNN:
    network = SmallCNN((8, 8, 1), 3, 4).train()
    network(IMAGES)  # moves the running statistics away from their start
    return network.eval()


def test_a_classifier_comes_back_from_its_file_alone(tmp_path: Path):
    network = trained()
    save_classifier(tmp_path / "c.safetensors", network, classes=("a", "b", "c"), facts={"arm": "synthetic"})
    loaded = load_classifier(tmp_path / "c.safetensors")
    assert torch.equal(logits(loaded.network, IMAGES), logits(network, IMAGES))
    assert (loaded.classes, loaded.shape, loaded.facts) == (("a", "b", "c"), (8, 8, 1), {"arm": "synthetic"})
    assert not loaded.network.training


def test_logits_do_not_depend_on_the_batch_size_and_restore_the_mode():
    network = trained().train()
    whole, parts = logits(network, IMAGES), logits(network, IMAGES, batch_size=2)
    assert torch.allclose(whole, parts, atol=1e-6)
    assert torch.equal(whole, network.eval()(IMAGES).detach())
    network.train()
    logits(network, IMAGES)
    assert network.training
    assert logits(network, IMAGES[:0]).shape == (0, 3)


def test_another_model_s_file_is_refused(tmp_path: Path):
    weights.save(tmp_path / "g.safetensors", {"x": torch.zeros(1)}, {"model": "Generator"})
    with pytest.raises(BadInput, match="expected a classifier"):
        load_classifier(tmp_path / "g.safetensors")
    with pytest.raises(BadInput, match="expected a safetensors file"):
        load_classifier(tmp_path / "none.safetensors")
