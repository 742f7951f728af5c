"""What training and sampling cost, in floating-point operations of matrix products and convolutions."""

import dataclasses

import torch
from torch.utils.flop_counter import FlopCounterMode

from mintmark.gan.config import Config
from mintmark.gan.family import AnyGenerator
from mintmark.gan.state import initial_state
from mintmark.gan.training import train


def step_flops(shape: tuple[int, int, int], *, num_classes: int, config: Config) -> int:
    """FLOPs of one training step between two penalties, whose second derivatives cannot be counted."""
    height, width, channels = shape
    images = torch.zeros((num_classes, channels, height, width))
    between = dataclasses.replace(config, penalty_interval=2)
    state = initial_state(shape, num_classes=num_classes, config=between, seed=0, device=images.device)
    state.step = 1
    with FlopCounterMode(display=False) as counter:
        next(train(images, torch.arange(num_classes), config=between, seed=0, state=state))
    return counter.get_total_flops()


def image_flops(network: AnyGenerator) -> int:
    """FLOPs of one generated image."""
    parameter = next(network.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(parameter.new_zeros((1, network.latent_size)), parameter.new_zeros(1, dtype=torch.int64))
    return counter.get_total_flops()
