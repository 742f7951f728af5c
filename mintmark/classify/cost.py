"""What a training costs, in floating-point operations. Knows no clock."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from mintmark.classify.networks import Classifier, SmallCNN


def step_flops(shape: tuple[int, int, int], *, num_classes: int, width: int, batch_size: int) -> int:
    """Floating-point operations of one gradient step's forward and backward pass, matrix products alone.

    Args:
        shape: (height, width, channels) of the images.
        num_classes: Of the classifier.
        width: Of the classifier.
        batch_size: Images a step.
    """
    with torch.device("meta"):  # shapes alone: nothing is drawn or computed
        return network_flops(SmallCNN(shape, num_classes, width), batch_size=batch_size)


def network_flops(network: Classifier, *, batch_size: int) -> int:
    """The same of a network at hand, on the device that is PyTorch's default."""
    height, width, channels = network.shape
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(batch_size, channels, height, width)).sum().backward()
    return counter.get_total_flops()
