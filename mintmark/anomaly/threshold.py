"""From scores to alarms: a threshold that normals pass at a stated rate (split conformal, Vovk et al. 2005).

Calibration records must be normal, and neither fitted on nor judged with.
"""

import math

import torch
from jaxtyping import Bool, Float

from mintmark.errors import BadInput


def calibrate(scores: Float[torch.Tensor, " n"], *, false_alarm_rate: float) -> float:
    """The ceil((n + 1)(1 - rate))-th smallest score of normals.

    A fresh normal, exchangeable with them, scores above it with a chance of at most `false_alarm_rate`, whatever the
    scores' distribution; the chance is over the calibration records as well.

    Raises:
        BadInput: the normals are too few for so small a rate.
    """
    rank = math.ceil((len(scores) + 1) * (1.0 - false_alarm_rate) - 1e-9)  # the product's rounding is not a rank
    if rank > len(scores):
        least = math.ceil(1.0 / false_alarm_rate - 1e-9) - 1
        raise BadInput(
            f"false_alarm_rate: expected at least {least} calibration normals for a rate of {false_alarm_rate:g}, "
            f"got {len(scores)}"
        )
    return scores.sort().values[rank - 1].item()


def alarms(scores: Float[torch.Tensor, " n"], *, threshold: float) -> Bool[torch.Tensor, " n"]:
    """Which scores lie above the threshold."""
    return scores > threshold
