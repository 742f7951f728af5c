"""The simplest streaming detectors: what any better one must beat.

The score of a row uses the values up to that row alone, so a detector may be run while the series is still being
written. Scores are free of the series' unit, so that one threshold can serve a corpus. `null` and `random` look at nothing.
Knows nothing of labels or thresholds.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import log_ndtr

from mintmark.errors import BadInput

Values = Float[np.ndarray, " rows"]
FLOOR = 1.0e-6  # of the range so far: a spread below it counts as this much, or a flat stretch would magnify anything


def null(values: Values) -> Values:
    """No score at all: 0 everywhere."""
    return np.zeros(len(values))


def random(values: Values, *, rng: np.random.Generator) -> Values:
    """Uniform scores between 0 and 1."""
    return rng.random(len(values))


def moving_z_score(values: Values, *, window: int) -> Values:
    """Distance of each value from the mean of the `window` values before it, in their standard deviations.

    Returns:
        0 or more; 0 until `window` values have been seen.

    Raises:
        BadInput: the window is shorter than two, or a value is not finite.
    """
    require_window(window)
    require_finite(values)
    scores = np.zeros(len(values))
    if len(values) > window:
        before = np.lib.stride_tricks.sliding_window_view(values[:-1], window)
        spread = np.maximum(before.std(axis=1), floors(values)[window:])
        scores[window:] = np.abs(values[window:] - before.mean(axis=1)) / spread
    return scores


def first_difference(values: Values) -> Values:
    """Size of each step, in units of the mean size of all steps before it.

    Returns:
        0 or more; 0 for the first two values.

    Raises:
        BadInput: a value is not finite.
    """
    require_finite(values)
    steps = np.abs(np.diff(values))
    scores = np.zeros(len(values))
    if len(steps) > 1:
        usual = np.cumsum(steps)[:-1] / np.arange(1, len(steps))
        scores[2:] = steps[1:] / np.maximum(usual, floors(values)[2:])
    return scores


def windowed_gaussian(values: Values, *, window: int, stride: int) -> Values:
    """How unlikely each value is under a normal distribution fitted to the `window` values before it.

    Until the window is full the fit uses all values so far; then it is renewed every `stride` rows, as in the detector of
    that name in the Numenta benchmark (6,400 and 100 there, "tuned to give best performance" on it).

    Returns:
        -log Q(|z|) in nats, log 2 or more, with Q the normal distribution's upper tail; log 2 for the first value.

    Raises:
        BadInput: the window is shorter than two, the stride below one, or a value is not finite.
    """
    require_window(window)
    require_finite(values)
    if stride < 1:
        raise BadInput(f"stride: expected at least 1, got {stride}")
    rows = np.arange(1, len(values))
    ends = np.where(rows <= window, rows, window + (rows - window) // stride * stride)
    begins = np.maximum(ends - window, 0)
    moved = values - values[:1]  # sums of squares lose digits to a common offset
    sums, squares = (np.append(0.0, np.cumsum(moved**power)) for power in (1, 2))
    means = (sums[ends] - sums[begins]) / (ends - begins)
    variances = (squares[ends] - squares[begins]) / (ends - begins) - means**2
    spreads = np.maximum(np.sqrt(np.maximum(variances, 0.0)), floors(values)[1:])
    surprise = -log_ndtr(-np.abs(moved[1:] - means) / spreads)
    return np.append(np.full(min(1, len(values)), np.log(2)), surprise)


def floors(values: Values) -> Values:
    """The least spread to reckon with at each row: `FLOOR` times the range of the values so far; 1 where that is 0."""
    span = np.maximum.accumulate(values) - np.minimum.accumulate(values)
    return np.where(span > 0, FLOOR * span, 1.0)


def require_window(window: int) -> None:
    """Refuse a window that has no spread.

    Raises:
        BadInput: it is shorter than two.
    """
    if window < 2:
        raise BadInput(f"window: expected at least 2 rows, got {window}")


def require_finite(values: Float[np.ndarray, "..."]) -> None:
    """Refuse a series with holes.

    Raises:
        BadInput: names the first row that is not finite.
    """
    broken = ~np.isfinite(values)
    if broken.any():
        raise BadInput(f"values: expected finite numbers, row {int(np.argwhere(broken)[0, 0])} is none")
