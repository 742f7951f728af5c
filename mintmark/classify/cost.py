"""What a training costs, in floating-point operations. Knows no clock."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from mintmark.classify.networks import SmallCNN


def step_flops(shape: tuple[int, int, int], *, num_classes: int, width: int, batch_size: int) -> int:
    """Floating-point operations of one gradient step's forward and backward pass, matrix products alone.

    Args:
        shape: (height, width, channels) of the images.
        num_classes: Of the classifier.
        width: Of the classifier.
        batch_size: Images a step.
    """
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # shapes alone: nothing is drawn or computed
        network = SmallCNN(shape, num_classes, width)
        network(torch.zeros(batch_size, shape[2], *shape[:2])).sum().backward()
    return counter.get_total_flops()
