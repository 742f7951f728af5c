"""What the networks that rebuild windows have in common: their size, their schedule, their layers and their batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import nn

from mintmark.errors import BadInput

Windows = Float[torch.Tensor, "n length channels"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a network is made and trained.

    Attributes:
        steps: Gradient steps.
        batch_size: Windows a step, drawn with replacement.
        learning_rate: Adam's.
        width: Units of the hidden layer on either side of the code.
        code: Numbers that a window passes through.
    """

    steps: int
    batch_size: int
    learning_rate: float
    width: int
    code: int

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "width", "code"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")


def perceptron(*sizes: int) -> nn.Sequential:
    """Linear layers with a leaky rectifier between any two."""
    layers: list[nn.Module] = []
    for given, made in pairwise(sizes):
        layers += [nn.Linear(given, made), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def batches(windows: Windows, recipe: Recipe, *, rng: torch.Generator) -> Iterator[Windows]:
    """One random batch a step."""
    for _ in range(recipe.steps):
        yield windows[torch.randint(len(windows), (recipe.batch_size,), generator=rng)]


def step(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step down the loss.

    Raises:
        BadInput: the loss is not finite.
    """
    if not loss.isfinite():
        raise BadInput("windows: the training diverged; expected a smaller learning_rate")
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
