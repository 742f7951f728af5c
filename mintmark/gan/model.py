"""Generators and discriminators as files, rebuilt from the file alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mintmark import weights
from mintmark.errors import BadInput
from mintmark.gan.networks import Discriminator, Generator

GENERATOR_KIND = "conditional-generator"
DISCRIMINATOR_KIND = "projection-discriminator"


class LoadedGenerator(NamedTuple):
    """A generator in eval mode on the CPU, and the names of its classes in the order of their codes."""

    network: Generator
    classes: tuple[str, ...]


class LoadedDiscriminator(NamedTuple):
    """A discriminator in eval mode on the CPU, and the names of its classes in the order of their codes."""

    network: Discriminator
    classes: tuple[str, ...]


def save_generator(path: Path, generator: Generator, *, classes: tuple[str, ...], facts: Mapping[str, Any]) -> None:
    """Write weights, architecture and class names; `facts` are further JSON values (steps, loss) for a reader."""
    architecture = {
        "shape": generator.shape,
        "num_classes": generator.num_classes,
        "latent_size": generator.latent_size,
        "width": generator.width,
    }
    metadata = {"kind": GENERATOR_KIND, "architecture": architecture, "classes": classes, "facts": facts}
    weights.save(path, generator.state_dict(), metadata)


def save_discriminator(
    path: Path, discriminator: Discriminator, *, classes: tuple[str, ...], facts: Mapping[str, Any]
) -> None:
    """Write weights, architecture and class names; `facts` are further JSON values (steps, loss) for a reader."""
    architecture = {
        "shape": discriminator.shape,
        "num_classes": discriminator.num_classes,
        "width": discriminator.width,
    }
    metadata = {"kind": DISCRIMINATOR_KIND, "architecture": architecture, "classes": classes, "facts": facts}
    weights.save(path, discriminator.state_dict(), metadata)


def load_generator(path: Path) -> LoadedGenerator:
    """The generator of a file.

    Raises:
        BadInput: the file is missing or holds no generator.
    """
    tensors, stored, classes = _load(path, GENERATOR_KIND)
    network = Generator(**stored)
    weights.fill(network, tensors, path)
    return LoadedGenerator(network.eval().requires_grad_(requires_grad=False), classes)


def load_discriminator(path: Path) -> LoadedDiscriminator:
    """The discriminator of a file.

    Raises:
        BadInput: the file is missing or holds no discriminator.
    """
    tensors, stored, classes = _load(path, DISCRIMINATOR_KIND)
    network = Discriminator(**stored)
    weights.fill(network, tensors, path)
    return LoadedDiscriminator(network.eval().requires_grad_(requires_grad=False), classes)


def _load(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    tensors, metadata = weights.load(path)
    if metadata.get("kind") != kind:
        raise BadInput(f"{path}: expected a {kind}, got {metadata.get('kind')!r}")
    architecture = metadata["architecture"]
    architecture["shape"] = tuple(architecture["shape"])
    return tensors, architecture, tuple(metadata["classes"])
