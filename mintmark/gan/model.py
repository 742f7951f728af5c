"""Generators and discriminators as files, rebuilt from the file alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from mintmark import weights
from mintmark.errors import BadInput
from mintmark.gan.family import AnyDiscriminator, AnyGenerator
from mintmark.gan.networks import AuxiliaryDiscriminator, Discriminator, Generator
from mintmark.gan.per_class import PerClassDiscriminator, PerClassGenerator

GENERATORS: dict[str, type[AnyGenerator]] = {
    "conditional-generator": Generator,
    "per-class-generator": PerClassGenerator,
}
DISCRIMINATORS: dict[str, type[AnyDiscriminator]] = {
    "projection-discriminator": Discriminator,
    "auxiliary-discriminator": AuxiliaryDiscriminator,
    "per-class-discriminator": PerClassDiscriminator,
}
Network = TypeVar("Network", bound=torch.nn.Module)


class LoadedGenerator(NamedTuple):
    """A generator in eval mode on the CPU, and the names of its classes in the order of their codes."""

    network: AnyGenerator
    classes: tuple[str, ...]


class LoadedDiscriminator(NamedTuple):
    """A discriminator in eval mode on the CPU, and the names of its classes in the order of their codes."""

    network: AnyDiscriminator
    classes: tuple[str, ...]


def save_generator(path: Path, generator: AnyGenerator, *, classes: tuple[str, ...], facts: Mapping[str, Any]) -> None:
    """Write weights, architecture and class names; `facts` are further JSON values (steps, loss) for a reader."""
    _save(path, generator, GENERATORS, classes=classes, facts=facts)


def save_discriminator(
    path: Path, discriminator: AnyDiscriminator, *, classes: tuple[str, ...], facts: Mapping[str, Any]
) -> None:
    """Write weights, architecture and class names; `facts` are further JSON values (steps, loss) for a reader."""
    _save(path, discriminator, DISCRIMINATORS, classes=classes, facts=facts)


def load_generator(path: Path) -> LoadedGenerator:
    """The generator of a file.

    Raises:
        BadInput: the file is missing or holds no generator.
    """
    return LoadedGenerator(*_load(path, GENERATORS))


def load_discriminator(path: Path) -> LoadedDiscriminator:
    """The discriminator of a file.

    Raises:
        BadInput: the file is missing or holds no discriminator.
    """
    return LoadedDiscriminator(*_load(path, DISCRIMINATORS))


def _save(
    path: Path,
    network: AnyGenerator | AnyDiscriminator,
    kinds: Mapping[str, type[torch.nn.Module]],
    *,
    classes: tuple[str, ...],
    facts: Mapping[str, Any],
) -> None:
    (kind,) = [name for name, form in kinds.items() if type(network) is form]
    metadata = {"kind": kind, "architecture": network.architecture, "classes": classes, "facts": facts}
    weights.save(path, network.state_dict(), metadata)


def _load(path: Path, kinds: Mapping[str, type[Network]]) -> tuple[Network, tuple[str, ...]]:
    """The network in eval mode, its weights frozen, and the names of its classes."""
    tensors, metadata = weights.load(path)
    kind = str(metadata.get("kind"))
    if kind not in kinds:
        raise BadInput(f"{path}: expected a {' or '.join(kinds)}, got {metadata.get('kind')!r}")
    stored = metadata["architecture"]
    network = kinds[kind](**(stored | {"shape": tuple(stored["shape"])}))
    weights.fill(network, tensors, path)
    return network.eval().requires_grad_(requires_grad=False), tuple(metadata["classes"])
