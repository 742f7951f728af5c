"""From any score to one with a meaning: how rare it is among those before it.

A conformal score is the share of earlier scores that lie below: uniform where the series goes on as it was, so one threshold
serves series of any kind (Laxhammar and Falkman 2014, "Online Learning and Sequential Anomaly Detection in Trajectories").
Knows nothing of what is scored.
"""

import numpy as np
from jaxtyping import Float

from mintmark.errors import BadInput

Scores = Float[np.ndarray, " rows"]


def ranked(scores: Scores, *, window: int) -> Scores:
    """The share of the `window` scores before each row that lie below its own.

    Returns:
        0 to 1; 0 until there are `window` scores.

    Raises:
        BadInput: the window is empty.
    """
    if window < 1:
        raise BadInput(f"window: expected at least 1 row, got {window}")
    shares = np.zeros(len(scores))
    if len(scores) > window:
        before = np.lib.stride_tricks.sliding_window_view(scores[:-1], window)
        shares[window:] = (before < scores[window:, None]).mean(axis=1)
    return shares


def one_alarm_an_event(scores: Scores, *, alarm: float, rest: int) -> Scores:
    """Hold the `rest` scores after each that reaches `alarm` at one half: an event is reported once.

    The rest of Burnaev and Ishimtsev (2016): what follows an alarm is mostly its echo, for as long as the strange values
    stay in the window. A score within the rest starts no rest of its own.

    Args:
        scores: 0 to 1.
        alarm: Above one half.
        rest: Rows, 0 or more.

    Raises:
        BadInput: alarm or rest are out of range.
    """
    if not 0.5 < alarm <= 1.0 or rest < 0:
        raise BadInput(f"alarm and rest: expected above 0.5 to 1 and at least 0, got {alarm} and {rest}")
    held, awake = scores.copy(), 0
    for row in np.flatnonzero(scores >= alarm):
        if row >= awake:
            awake = row + 1 + rest
            held[row + 1 : awake] = 0.5
    return held
