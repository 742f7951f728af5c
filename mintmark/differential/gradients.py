"""The step of DP-SGD that looks at records: Poisson sampling, a gradient for each record cut to a length, noise on the sum.

Opacus takes the gradients apart, cuts them and adds the noise; the caller's own optimiser takes the step. Noise comes
from PyTorch's seeded generator, so that a training repeats itself and goes on after a kill: whoever knows the seed can
take the noise away. A cryptographic source would not repeat itself; the seed is a secret, as the split's is.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import nn

from mintmark.differential.accountant import Spending


class Noise(NamedTuple):
    """How gradients are cut, noised and averaged.

    Attributes:
        multiplier: Standard deviation of the noise in units of `max_grad_norm`.
        max_grad_norm: Bound on the gradient of one record, over all parameters together.
        expected_batch_size: By what the noisy sum is divided, whatever a batch holds: its true size is a secret.
    """

    multiplier: float
    max_grad_norm: float
    expected_batch_size: float


def noise_of(spending: Spending, *, num_records: int) -> Noise:
    """The noise that keeps what the accountant was told."""
    return Noise(spending.noise_multiplier, spending.max_grad_norm, spending.sample_rate * num_records)


def poisson_rows(num_records: int, *, sample_rate: float, rng: torch.Generator) -> Int64[torch.Tensor, " n"]:
    """The rows of one batch: each record by a coin of its own, so that their number varies and may be 0."""
    return torch.nonzero(torch.rand(num_records, generator=rng, dtype=torch.float64) < sample_rate).flatten()


def set_private_gradients(
    network: nn.Module,
    losses: Callable[[], Float[torch.Tensor, " n"]],
    *,
    num_records: int,
    noise: Noise,
    rng: torch.Generator,
) -> Float[torch.Tensor, " n"]:
    """Overwrite the gradient of every parameter with a private one, of the mean over an expected batch.

    What is added to the gradients afterwards must owe nothing to any record; added before, it would be lost.

    Args:
        network: Its layers see each record by itself, once, and in the same row.
        losses: The loss of each record by the network, from one forward pass.
        num_records: In this batch; with 0, the losses are not asked for and the gradients are noise alone.
        noise: How to cut and noise.
        rng: A CPU generator, whatever device the network is on.

    Returns:
        The losses, which are not private.

    Raises:
        NotImplementedError: the network holds a layer with buffers, such as batch normalisation.
    """
    from opacus import GradSampleModule
    from opacus.optimizers import DPOptimizer

    device = next(network.parameters()).device
    generator = torch.Generator(device).manual_seed(int(torch.randint(2**62, (1,), generator=rng)))
    optimiser = DPOptimizer(
        torch.optim.SGD(network.parameters(), lr=0.0),  # which never steps
        noise_multiplier=noise.multiplier,
        max_grad_norm=noise.max_grad_norm,
        expected_batch_size=noise.expected_batch_size,  # type: ignore[arg-type] - it only divides
        generator=generator,
    )
    hooks = GradSampleModule(network, loss_reduction="sum")
    try:
        optimiser.zero_grad(set_to_none=True)
        if num_records:
            found = losses()
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Full backward hook is firing")
                found.sum().backward()
        else:
            found = torch.zeros(0, device=device)
            for parameter in network.parameters():
                parameter.grad_sample = parameter.new_zeros((0, *parameter.shape))  # type: ignore[attr-defined]
        optimiser.pre_step()
        return found.detach()
    finally:
        hooks.remove_hooks()
        for parameter in network.parameters():
            parameter.grad_sample = parameter.summed_grad = None  # type: ignore[attr-defined]
