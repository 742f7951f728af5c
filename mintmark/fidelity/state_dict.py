"""Weights that others published, from the file that a user supplies; under whatever licence the user has them.

Reads safetensors, and files of PyTorch's own format as far as they hold tensors and nothing else: the reader is
restricted to those (`weights_only`), so that no file can run code.
"""

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mintmark.errors import BadInput

COUNTERS = "num_batches_tracked"  # of batch normalisation; older files lack them, and nothing here reads them


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file by name, on the CPU.

    Raises:
        BadInput: the file is missing, damaged, or holds anything but named tensors.
    """
    try:
        stored = load_file(path) if path.suffix == ".safetensors" else _restricted(path)
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path}: expected a file of weights alone (safetensors, .pth, .pt), got: {reason}") from error
    if not isinstance(stored, Mapping) or not all(isinstance(one, torch.Tensor) for one in stored.values()):
        raise BadInput(f"{path}: expected tensors by name, got {type(stored).__name__} of other values")
    return {str(name): tensor for name, tensor in stored.items()}


def fill_published(
    network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], path: Path, *, unused: Iterable[str] = ()
) -> None:
    """Give a network the tensors that `read_state_dict` read from `path`, and put it into eval mode.

    Args:
        network: Its parameters bear the published names.
        tensors: Of the file.
        path: For the message.
        unused: Prefixes of names that the file may hold and the network does without, such as a last layer.

    Raises:
        BadInput: a name is missing or unknown, or a shape differs.
    """
    wanted = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(COUNTERS)}
    found = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.endswith(COUNTERS) and not name.startswith(tuple(unused))
    }
    wrong = sorted(wanted.keys() ^ found.keys())
    wrong += sorted(name for name in wanted.keys() & found.keys() if wanted[name].shape != found[name].shape)
    if wrong:
        kind, more = type(network).__name__, f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise BadInput(f"{path}: expected the weights of {kind}, got others: {wrong[0]} differs{more}")
    network.load_state_dict(found, strict=False)
    network.eval().requires_grad_(requires_grad=False)


def _restricted(path: Path) -> object:
    return torch.load(path, map_location="cpu", weights_only=True)
