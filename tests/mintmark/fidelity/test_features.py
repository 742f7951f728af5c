"""Features of real networks: the same for a copy wherever it stands, learnt from labels, and in the spaces asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mintmark.classify.training import Recipe
from mintmark.fidelity.comparison import Settings
from mintmark.fidelity.dinov2 import Dinov2
from mintmark.fidelity.features import published, trained
from mintmark.fidelity.spaces import open_spaces

CPU = torch.device("cpu")
RECIPE = Recipe(steps=30, batch_size=32, learning_rate=1e-2, weight_decay=0.0, width=4)
SETTINGS = Settings(draws=2, max_records=50, neighbours=3, training=RECIPE, inception=None, dinov2=None)


def tiny(*, seed: int = 0) -> Dinov2:
    generator = torch.Generator().manual_seed(seed)
    network = Dinov2(width=64, depth=1, patch=56, positions=16, hidden=32, registers=0).eval()
    network.load_state_dict({k: torch.randn(v.shape, generator=generator) for k, v in network.state_dict().items()})
    return network


def test_a_copy_has_its_originals_features_to_the_last_bit_wherever_it_stands(toy_images):
    images = toy_images(num=40).images
    for embed in (trained(toy_images(), recipe=RECIPE, seed=0, device=CPU), published(tiny(), device=CPU)):
        features = embed(images)
        assert features.dtype == torch.float64
        assert torch.equal(embed(images[7:8])[0], features[7])
        assert torch.equal(embed(images[30:])[3], features[33])


def test_another_seed_gives_other_features_and_the_same_the_same(toy_images):
    train = toy_images()
    first, again, other = (trained(train, recipe=RECIPE, seed=seed, device=CPU)(train.images) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_learnt_features_set_classes_farther_apart_than_pixels_do(digits):
    part = digits.take(np.arange(600))
    features = trained(part, recipe=replace(RECIPE, steps=100, width=8), seed=0, device=CPU)(part.images)
    pixels = torch.from_numpy(part.images.reshape(600, -1).astype(float))

    def between(points: torch.Tensor) -> float:
        """The share of the variance that lies between the classes' means."""
        means = torch.stack([points[torch.from_numpy(part.codes == code)].mean(dim=0) for code in range(10)])
        return float(means[part.codes].var(dim=0).sum() / points.var(dim=0).sum())

    assert between(features) > between(pixels) + 0.2


def test_grey_images_go_into_a_published_network_as_colour_ones(toy_images):
    grey = toy_images(num=4).images
    embed = published(tiny(), device=CPU)
    assert torch.equal(embed(grey), embed(grey.repeat(3, axis=3)))


def test_spaces_are_those_whose_weights_are_named_with_the_files_fingerprint(toy_images, tmp_path: Path):
    path = tmp_path / "dinov2.pth"
    torch.save(tiny().state_dict(), path)
    found = open_spaces(toy_images(), replace(SETTINGS, dinov2=str(path)), seed=0, device=CPU)
    assert [space.name for space in found] == ["trained", "dinov2"]
    assert len(found[1].facts["weights_sha256"]) == 64
    assert found[0].cost["features_flops"] > 0


def test_one_class_alone_teaches_no_features(toy_images):
    one = toy_images(num_classes=1)
    (space,) = open_spaces(one, SETTINGS, seed=0, device=CPU)
    assert space.embed is None
    assert space.missing == "labelled training records of two classes at least"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 1}, "draws must be at least 2, got 1"),
        ({"max_records": 1}, "max_records must be at least 2"),
        ({"neighbours": 0}, "neighbours must be at least 1"),
        ({"inception": "weights.pth"}, "inception must be null or an absolute path, got weights.pth"),
    ],
)
def test_settings_refuse_impossible_values(change, message: str):
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **change)
