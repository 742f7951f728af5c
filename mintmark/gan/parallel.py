"""Several processes that take one training step together, each on its own rows of the global batch.

Every process draws the whole batch's random numbers from the same state and keeps its rows: row i belongs to process
i modulo the number of processes, so that a batch of real images stacked on as many fake ones falls apart alike. After
the backward pass the gradients are averaged, and every process makes the same update. Knows no environment and no
device: it speaks through PyTorch's default process group, which the caller sets up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0.
        size: How many there are.
    """

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes and speaks."""
        return self.rank == 0

    def mine(self, rows: torch.Tensor) -> torch.Tensor:
        """This process's rows of (n, ...) global ones; n divides by `size`."""
        return rows[self.rank :: self.size]

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        """The global (n * size, ...) rows of which each process holds its own (n, ...).

        Its backward pass sums what every process asks of a row. If each computes one and the same loss from global
        rows, the average of the processes' gradients is thus the gradient of that loss.
        """
        return rows if self.size == 1 else _Gather.apply(rows, self)  # type: ignore[return-value]

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Overwrite each tensor by its mean over the processes, the same bits in each: one message for all."""
        if self.size == 1:
            return
        flat = torch.cat([one.flatten() for one in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        for one, mean in zip(tensors, flat.split([one.numel() for one in tensors]), strict=True):
            one.copy_(mean.view_as(one))


ALONE = Group(rank=0, size=1)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, group: Group) -> torch.Tensor:
        ctx.group = group
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(group.size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.stack(parts, dim=1).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = gradients
        total = gradient.contiguous(memory_format=torch.contiguous_format).clone()
        dist.all_reduce(total)
        return ctx.group.mine(total), None
