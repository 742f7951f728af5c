"""A training's state as one file, from which it goes on to the same weights. No pickles.

Holds the networks, the average, both optimisers' moments, the random state and the history so far. Knows nothing of
when to save; the caller names the file after what the state depends on (data, recipe), for none of that is checked here.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64

from mintmark import weights
from mintmark.errors import BadInput

KIND = "gan-checkpoint"
NUMBERS = ("step", "penalty", "probability", "signs")  # of a state; not every training has all of them


@runtime_checkable
class State(Protocol):
    """What any adversarial training here carries from step to step: `step` and perhaps others of `NUMBERS` as well."""

    rng: torch.Generator
    step: int

    @property
    def generator(self) -> torch.nn.Module: ...
    @property
    def discriminator(self) -> torch.nn.Module: ...
    @property
    def average(self) -> torch.nn.Module: ...
    @property
    def generator_optimizer(self) -> torch.optim.Adam: ...
    @property
    def discriminator_optimizer(self) -> torch.optim.Adam: ...


def save(path: Path, state: State, history: Float64[torch.Tensor, "rows columns"]) -> None:
    """Write the state and the history so far, whole or not at all."""
    tensors = {"rng": state.rng.get_state(), "history": history}
    for name, network in _networks(state).items():
        tensors |= {f"{name}/{key}": tensor for key, tensor in network.state_dict().items()}
    for name, optimizer in _optimizers(state).items():
        moments = optimizer.state_dict()["state"]
        tensors |= {f"{name}/{row}/{key}": tensor for row, kept in moments.items() for key, tensor in kept.items()}
    numbers = {name: getattr(state, name) for name in NUMBERS if hasattr(state, name)}
    weights.save(path, tensors, {"kind": KIND, **numbers})


def restore(path: Path, state: State) -> Float64[torch.Tensor, "rows columns"]:
    """Overwrite a fresh state of the same recipe, on any device, with the one that was saved; returns the history.

    Raises:
        BadInput: the file is not one that `save` wrote.
    """
    tensors, metadata = weights.load(path)
    if metadata.get("kind") != KIND:
        raise BadInput(f"{path}: expected a checkpoint of this recipe, got {metadata.get('kind')!r}; delete it")
    for name, network in _networks(state).items():
        network.load_state_dict(_under(name, tensors))
    for name, optimizer in _optimizers(state).items():
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in _under(name, tensors).items():
            row, kept = key.split("/")
            moments.setdefault(int(row), {})[kept] = tensor
        optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    state.rng.set_state(tensors["rng"])
    for name in NUMBERS:
        if name in metadata:
            setattr(state, name, metadata[name])
    return tensors["history"]


def _networks(state: State) -> dict[str, torch.nn.Module]:
    return {"generator": state.generator, "discriminator": state.discriminator, "average": state.average}


def _optimizers(state: State) -> dict[str, torch.optim.Adam]:
    return {
        "generator_optimizer": state.generator_optimizer,
        "discriminator_optimizer": state.discriminator_optimizer,
    }


def _under(name: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of one part, without its name."""
    return {key.removeprefix(f"{name}/"): tensor for key, tensor in tensors.items() if key.startswith(f"{name}/")}
