"""What training and sampling cost, in floating-point operations of matrix products and convolutions."""

import dataclasses

import torch
from torch.utils.flop_counter import FlopCounterMode

from mintmark.gan.networks import Generator
from mintmark.gan.training import Config, train


def step_flops(shape: tuple[int, int, int], *, num_classes: int, config: Config) -> int:
    """FLOPs of one training step without the gradient penalty, whose second derivatives cannot be counted."""
    height, width, channels = shape
    images = torch.zeros((num_classes, channels, height, width))
    plain = dataclasses.replace(config, penalty_weight=0.0)
    with FlopCounterMode(display=False) as counter:
        next(train(images, torch.arange(num_classes), config=plain, seed=0))
    return counter.get_total_flops()


def image_flops(network: Generator) -> int:
    """FLOPs of one generated image."""
    parameter = next(network.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(parameter.new_zeros((1, network.latent_size)), parameter.new_zeros(1, dtype=torch.int64))
    return counter.get_total_flops()
