"""The ascent that every expectation-maximisation of this family makes: steps until no start gains."""

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Float64

Model = TypeVar("Model")


class Step(NamedTuple, Generic[Model]):
    """One step of all starts.

    Attributes:
        number: From 1.
        before: The log-likelihood of each start before the step: the mean over images, in nats a pixel.
        model: After the step.
        restarts: How many emptied components the step filled again.
    """

    number: int
    before: Float64[torch.Tensor, " starts"]
    model: Model
    restarts: int


Improve = Callable[[Model], tuple[Float64[torch.Tensor, " starts"], Model, int]]


def climb(model: Model, improve: Improve[Model], *, steps: int, tolerance: float) -> Iterator[Step[Model]]:
    """Yield after every step.

    Args:
        model: Where all starts begin.
        improve: One step: each start's log-likelihood before it, the model after it, and its restarts.
        steps: At most so many.
        tolerance: The ascent ends after a step before which no start rose by more than this.
    """
    reached = None
    for number in range(1, steps + 1):
        before, model, restarts = improve(model)
        yield Step(number, before, model, restarts)
        if reached is not None and (before - reached).max() <= tolerance:
            return
        reached = None if restarts else before  # a restart may fall before it rises
