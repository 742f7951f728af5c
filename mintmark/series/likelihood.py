"""Anomaly likelihood (Ahmad et al. 2017, "Unsupervised real-time anomaly detection for streaming data", equations 4 to 6).

A detector's raw scores have a distribution of their own; what is anomalous is a stretch of scores unlike it. Knows nothing
of what is scored.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import log_ndtr

from mintmark.errors import BadInput

LONG, SHORT = 8_000, 10  # the paper's W and W'
LEAST_DEVIATION = 1.0e-6


def surprise(
    scores: Float[np.ndarray, " rows"], *, long: int = LONG, short: int = SHORT, begin: int
) -> Float[np.ndarray, " rows"]:
    """-log Q of the short window's mean score in the long window's mean and deviation, both ending at the row.

    Args:
        scores: Raw scores, one a row, of a unit scale.
        long: Rows of the long window, fewer while the series is shorter.
        short: Rows of the short one.
        begin: The first row that is judged; those before it get log 2.

    Returns:
        In nats, above 0: log 2 where the short mean equals the long one.

    Raises:
        BadInput: not 1 <= short < long.
    """
    if not 1 <= short < long:
        raise BadInput(f"short and long: expected at least 1 and longer than that, got {short} and {long}")
    ends = np.arange(1, len(scores) + 1)
    sums, squares = (np.append(0.0, np.cumsum(scores**power)) for power in (1, 2))
    recent, usual = np.minimum(ends, short), np.minimum(ends, long)
    mean = (sums[ends] - sums[ends - usual]) / usual
    variance = (squares[ends] - squares[ends - usual]) / usual - mean**2
    deviation = np.maximum(np.sqrt(np.maximum(variance, 0)), LEAST_DEVIATION)
    raised = (sums[ends] - sums[ends - recent]) / recent - mean
    found = -log_ndtr(-raised / deviation)
    found[:begin] = np.log(2)
    return found
