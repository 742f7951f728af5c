"""From scores to alarms: a threshold that normals pass at a stated rate (split conformal, Vovk et al. 2005).

Calibration records must be normal, and neither fitted on nor judged with.
"""

import math

import torch
from jaxtyping import Bool, Float
from scipy import stats

from mintmark.errors import BadInput

ROUNDING = 1e-9  # a product that should be whole may lie this far above it


def p_values(
    scores: Float[torch.Tensor, " n"], *, calibration: Float[torch.Tensor, " calibration"]
) -> Float[torch.Tensor, " n"]:
    """How unusual each score is among normals, from 1 / (n + 1), no normal scored as high, to 1."""
    in_order = calibration.sort().values
    as_high = len(in_order) - torch.searchsorted(in_order, scores.contiguous())
    return (1.0 + as_high.double()) / (len(in_order) + 1)


def calibrate(scores: Float[torch.Tensor, " n"], *, false_alarm_rate: float) -> float:
    """The ceil((n + 1)(1 - rate))-th smallest score of normals.

    A fresh normal, exchangeable with them, scores above it with a chance of at most `false_alarm_rate`, whatever the
    scores' distribution; the chance is over the calibration records as well.

    Raises:
        BadInput: the normals are too few for so small a rate.
    """
    return scores.sort().values[_rank(len(scores), false_alarm_rate) - 1].item()


def spread(num_calibration: int, *, false_alarm_rate: float, level: float) -> tuple[float, float]:
    """Where the threshold's true false-alarm rate lies in a share `level` of all draws of the calibration records.

    Scores without ties exceed the k-th smallest of n at a rate that is Beta(n + 1 - k, k) (Vovk 2012).

    Raises:
        BadInput: the normals are too few for so small a rate.
    """
    rank = _rank(num_calibration, false_alarm_rate)
    rates = stats.beta(num_calibration + 1 - rank, rank)
    return float(rates.ppf(0.5 - level / 2)), float(rates.ppf(0.5 + level / 2))


def alarms(scores: Float[torch.Tensor, " n"], *, threshold: float) -> Bool[torch.Tensor, " n"]:
    """Which scores lie above the threshold."""
    return scores > threshold


def _rank(num_calibration: int, false_alarm_rate: float) -> int:
    rank = math.ceil((num_calibration + 1) * (1.0 - false_alarm_rate) - ROUNDING)
    if rank > num_calibration:
        least = math.ceil(1.0 / false_alarm_rate - ROUNDING) - 1
        raise BadInput(
            f"false_alarm_rate: expected at least {least} calibration normals for a rate of {false_alarm_rate:g}, "
            f"got {num_calibration}"
        )
    return rank
