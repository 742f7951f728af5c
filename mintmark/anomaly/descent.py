"""How the networks of detectors are trained on normals: a fixed number of Adam's steps, and the last step is kept.

Choosing a step by how well anomalies are found would be choosing on anomalies; a fixed number needs none. Knows nothing
of losses or networks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

from mintmark.errors import BadInput
from mintmark.gan.training import apply_gradients

BLOCK_ROWS = 512  # images that a trained network sees at once
LEAST_ROWS = 16  # libraries sum smaller batches in another order: scores would depend on the block
LEAST_NORMALS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """How long and how fast a network is trained.

    Attributes:
        steps: Of Adam, all of them taken.
        batch_size: Normals a step, drawn without replacement within an epoch.
        learning_rate: Adam's at the start; it falls to 0 along half a cosine (Loshchilov and Hutter 2017).
        weight_decay: Decoupled (Loshchilov and Hutter 2019).
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay}")


def descend(
    network: nn.Module,
    normals: Float[torch.Tensor, "n channels height width"],
    loss: Callable[[torch.Tensor, torch.Generator], torch.Tensor],
    *,
    training: Training,
    seed: int,
) -> None:
    """Train a network in place, then freeze it.

    Args:
        network: Whose parameters are trained.
        normals: Pixels in [-1, 1].
        loss: Of a batch of normals; draws come from the generator that it is given.
        training: How long and how fast.
        seed: Where the batches, and the draws of the loss, come from.

    Raises:
        FloatingPointError: a loss or gradient is not finite; the weights are those from before that update.
    """
    network.train().requires_grad_(True)
    adam = torch.optim.AdamW(
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, training.steps)
    rng = torch.Generator().manual_seed(seed)
    for step, batch in zip(range(training.steps), _batches(normals, training.batch_size, rng), strict=False):
        adam.zero_grad(set_to_none=True)
        found = loss(batch, rng)
        found.backward()
        apply_gradients(found, found.detach()[None], network, adam, name=f"step {step + 1}: detector")
        schedule.step()
    network.eval().requires_grad_(False)


def in_blocks(function: Callable[[torch.Tensor], torch.Tensor], images: Float[torch.Tensor, "n ..."]) -> torch.Tensor:
    """What a function of images, or of their codes, gives, block by block.

    Memory is bounded, and no row depends on another: a small block is filled up with its last image.
    """
    with torch.no_grad():
        if not len(images):
            return function(images.new_zeros((LEAST_ROWS, *images.shape[1:])))[:0]
        parts = []
        for block in images.split(BLOCK_ROWS):
            spare = block[-1:].expand(max(0, LEAST_ROWS - len(block)), *block.shape[1:])
            parts.append(function(torch.cat([block, spare]))[: len(block)])
        return torch.cat(parts)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw initial weights from a seed, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def require_normals(normals: Float[torch.Tensor, "n channels height width"]) -> tuple[int, int, int]:
    """The (height, width, channels) of normals that can be learnt from.

    Raises:
        BadInput: there are too few, or a pixel is not finite.
    """
    if len(normals) < LEAST_NORMALS:
        raise BadInput(f"normals: expected at least {LEAST_NORMALS}, got {len(normals)}")
    finite = normals.isfinite().flatten(1).all(dim=1)
    if not finite.all():
        raise BadInput(f"normals: expected finite pixels, got NaN or infinity in row {int((~finite).nonzero()[0])}")
    channels, height, width = normals.shape[1:]
    return height, width, channels


def _batches(normals: torch.Tensor, size: int, rng: torch.Generator) -> Iterator[torch.Tensor]:
    """Epoch after epoch in fresh orders; a remainder smaller than a batch waits for another epoch."""
    size = min(size, len(normals))
    while True:
        order = torch.randperm(len(normals), generator=rng)
        for start in range(0, len(normals) - size + 1, size):
            yield normals[order[start : start + size]]
