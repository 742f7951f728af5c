"""From scores to p-values and alarms, by normals that were held out (split conformal, Vovk et al. 2005).

A score's p-value is (1 + number of calibration scores at least as large) / (n + 1): the rank that it would take among
them. For a fresh normal, exchangeable with them, it is at most any rate with a chance of at most that rate, whatever the
scores' distribution. To raise an alarm where p is at most the rate is to compare the score with one of the calibration
scores; both forms are here. No p-value is below 1 / (n + 1), so n normals resolve no rate below that.

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
    """The ceil((n + 1)(1 - rate))-th smallest score of normals: scores above it have a p-value of at most the rate.

    A fresh normal, exchangeable with them, scores above it with a chance of at most `false_alarm_rate`, whatever the
    scores' distribution; the chance is over the calibration records as well.

    Raises:
        BadInput: the normals are too few for so small a rate.
    """
    if not resolves(len(scores), false_alarm_rate=false_alarm_rate):
        raise BadInput(
            f"calibration: expected at least {least_normals(false_alarm_rate)} normals for a false-alarm rate of "
            f"{false_alarm_rate:g}, got {len(scores)}"
        )
    return scores.sort().values[_rank(len(scores), false_alarm_rate) - 1].item()


def spread(num_calibration: int, *, false_alarm_rate: float, level: float) -> tuple[float, float]:
    """Where the threshold's true false-alarm rate lies in a share `level` of all draws of the calibration records.

    Scores without ties exceed the k-th smallest of n at a rate that is Beta(n + 1 - k, k) (Vovk 2012).

    Raises:
        ValueError: so few normals do not resolve so small a rate.
    """
    if not resolves(num_calibration, false_alarm_rate=false_alarm_rate):
        raise ValueError(f"num_calibration must be at least {least_normals(false_alarm_rate)}, got {num_calibration}")
    rank = _rank(num_calibration, false_alarm_rate)
    rates = stats.beta(num_calibration + 1 - rank, rank)
    return float(rates.ppf(0.5 - level / 2)), float(rates.ppf(0.5 + level / 2))


def resolves(num_calibration: int, *, false_alarm_rate: float) -> bool:
    """Whether so many normals can tell so small a rate: whether any p-value could be as low."""
    return num_calibration >= least_normals(false_alarm_rate)


def least_normals(false_alarm_rate: float) -> int:
    """The fewest calibration normals that resolve a rate: 19 for 5%, 99 for 1%."""
    return math.ceil(1.0 / false_alarm_rate - ROUNDING) - 1


def alarms(scores: Float[torch.Tensor, " n"], *, threshold: float) -> Bool[torch.Tensor, " n"]:
    """Which scores lie above the threshold."""
    return scores > threshold


def _rank(num_calibration: int, false_alarm_rate: float) -> int:
    return math.ceil((num_calibration + 1) * (1.0 - false_alarm_rate) - ROUNDING)
