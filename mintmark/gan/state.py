"""What a training carries from step to step."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from mintmark.devices import pick_precision
from mintmark.gan.config import Config
from mintmark.gan.family import DISCRIMINATORS, GENERATORS, AnyDiscriminator, AnyGenerator


@dataclass(kw_only=True, slots=True)
class State:
    """Everything that the next step depends on, beside the data and the config.

    Attributes:
        average: The exponential moving average of the generator's weights; this is the network to keep.
        rng: A CPU generator, the only source of randomness.
        step: How many steps were taken.
        penalty: The penalties when last taken, not weighted; 0 before.
        probability: Of each augmentation, where it adapts.
        signs: Sum over steps of the mean sign of real logits since the probability was last adjusted.
    """

    generator: AnyGenerator
    discriminator: AnyDiscriminator
    average: AnyGenerator
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    rng: torch.Generator
    step: int = 0
    penalty: float = 0.0
    probability: float = 0.0
    signs: float = 0.0


def initial_state(
    shape: tuple[int, int, int], *, num_classes: int, config: Config, seed: int, device: torch.device
) -> State:
    """Fresh networks and optimisers, the same on every device, drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = GENERATORS[config.conditioning](
            shape=shape, num_classes=num_classes, latent_size=config.latent_size, width=config.generator_width
        )
        discriminator = DISCRIMINATORS[config.conditioning](
            shape=shape, num_classes=num_classes, width=config.discriminator_width
        )
    precision = pick_precision(config.precision, device=device, height=shape[0], width=shape[1])
    layout = memory_format(device, precision)
    generator = generator.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    discriminator = discriminator.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    return State(
        generator=generator,
        discriminator=discriminator,
        average=copy.deepcopy(generator).eval().requires_grad_(False),
        generator_optimizer=_adam(generator, config.generator_learning_rate, config),
        discriminator_optimizer=_adam(discriminator, config.discriminator_learning_rate, config),
        rng=torch.Generator().manual_seed(seed),
    )


def memory_format(device: torch.device, precision: torch.dtype) -> torch.memory_format:
    """Channels last where bf16 convolutions or a GPU want it."""
    last = device.type == "cuda" or precision == torch.bfloat16
    return torch.channels_last if last else torch.contiguous_format


def _adam(network: nn.Module, learning_rate: float, config: Config) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(config.beta1, config.beta2))
