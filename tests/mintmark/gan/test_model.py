import pytest
import torch

from mintmark import weights
from mintmark.errors import BadInput
from mintmark.gan.model import load_discriminator, load_generator, save_discriminator, save_generator
from mintmark.gan.networks import Discriminator, Generator

CLASSES = ("ok", "scratch", "dent")


def test_a_generator_comes_back_from_its_file_alone(tmp_path):
    torch.manual_seed(0)
    generator = Generator(shape=(9, 12, 3), num_classes=3, latent_size=5, width=2)
    save_generator(tmp_path / "g.safetensors", generator, classes=CLASSES, facts={"steps": 4})
    loaded = load_generator(tmp_path / "g.safetensors")
    latents, codes = torch.randn(4, 5), torch.tensor([0, 1, 2, 0])
    assert loaded.classes == CLASSES
    assert loaded.network.shape == (9, 12, 3)
    assert not loaded.network.training
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    assert torch.equal(loaded.network(latents, codes), generator(latents, codes))


def test_a_discriminator_comes_back_from_its_file_alone(tmp_path):
    torch.manual_seed(0)
    discriminator = Discriminator(shape=(9, 12, 3), num_classes=3, width=2)
    save_discriminator(tmp_path / "d.safetensors", discriminator, classes=CLASSES, facts={})
    loaded = load_discriminator(tmp_path / "d.safetensors")
    images, codes = torch.rand(4, 3, 9, 12), torch.tensor([0, 1, 2, 0])
    assert loaded.classes == CLASSES
    assert torch.equal(loaded.network(images, codes), discriminator(images, codes))


def test_weights_of_another_kind_are_refused_by_name(tmp_path):
    path = tmp_path / "d.safetensors"
    save_discriminator(path, Discriminator(shape=(8, 8, 1), num_classes=3, width=2), classes=CLASSES, facts={})
    with pytest.raises(
        BadInput, match=r"d\.safetensors: expected a conditional-generator or per-class-generator, got 'projection-disc"
    ):
        load_generator(path)
    weights.save(path, {"a": torch.zeros(1)}, {})
    with pytest.raises(
        BadInput, match=r"expected a projection-discriminator or .* or per-class-discriminator, got None"
    ):
        load_discriminator(path)


def test_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match=r"none\.safetensors"):
        load_generator(tmp_path / "none.safetensors")
