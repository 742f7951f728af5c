"""Weights in safetensors, with the JSON metadata that rebuilds the model from the file alone. No pickles."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mintmark.errors import BadInput
from mintmark.files import whole_file

_METADATA_KEY = "mintmark"


def save(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
    """Write tensors and metadata to one file, whole or not at all."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as partial:
        save_file(contiguous, partial, metadata={_METADATA_KEY: json.dumps(metadata, sort_keys=True)})


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the metadata of one file.

    Raises:
        BadInput: the file is missing, is not safetensors, or carries no metadata of ours.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = (stored.metadata() or {}).get(_METADATA_KEY)
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path}: expected a safetensors file, got {error}") from error
    if metadata is None:
        raise BadInput(f"{path}: expected metadata under {_METADATA_KEY!r}, got none")
    return tensors, json.loads(metadata)


def fill(network: torch.nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Give a network the tensors that `load` read from `path`.

    Raises:
        BadInput: they are not this network's, by name or by shape.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise BadInput(f"{path}: expected the weights of a {type(network).__name__}, got others: {error}") from error
