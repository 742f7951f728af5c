"""Nearest neighbours, conformal: how far the last rows lie from their like, ranked among how far others lay.

The last rows of a series form a point. Its strangeness is the sum of its squared distances to its nearest neighbours among
earlier points, and its score the share of the points before it that were less strange. `knn_cad` is the detector of Burnaev
and Ishimtsev (2016, "Conformalized Density- and Distance-Based Anomaly Detection in Time-Series Data"): Mahalanobis
distances, to a training part that slides along. `long_memory` is ours: Euclidean distances, to all that was seen. A metric
of inverse second moments weighs most what the series does least, which is mostly noise; and what was normal once is no
news when it returns. The defaults are the paper's for both. Knows nothing of labels or thresholds.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int64
from scipy.spatial.distance import cdist

from mintmark.errors import BadInput
from mintmark.series.conformal import ranked
from mintmark.series.controls import Values, require_finite

NUM_ROWS, NUM_NEIGHBOURS = 19, 27
ALARM, REST_RATE = 0.9965, 0.2  # the authors': an alarm, and the share of a period for which the next must wait
RIDGE = 1.0e-9  # of the mean eigenvalue: a series may repeat itself exactly
BLOCK = 512

Points = Float[np.ndarray, "points num_rows"]
Strangeness = Float[np.ndarray, " points"]


def knn_cad(values: Values, *, period: int, num_rows: int = NUM_ROWS, num_neighbours: int = NUM_NEIGHBOURS) -> Values:
    """The conformal score of each row, by the published detector but for its rest after an alarm.

    A point's training points end `period` rows before it and its calibration points lie in between; until 2 `period` rows
    have been seen, the training points are the first ones. The metric is the inverse of the training points' second
    moments, renewed twice a period.

    Args:
        values: The series.
        period: Rows of either part: the benchmark's probation.
        num_rows: Of a point, the paper's l.
        num_neighbours: The paper's k.

    Returns:
        0 to 1; 0 in the first `period` - 1 rows.

    Raises:
        BadInput: the period holds no more points than neighbours, or a value is not finite.
    """
    num_training = _require(values, period=period, num_rows=num_rows, num_neighbours=num_neighbours)
    if len(values) < period:
        return np.zeros(len(values))
    points = _points(values, num_rows)
    strange = [_among_themselves(_turned(points[:num_training], _metric(points[:num_training])), num_neighbours)]
    for first, behind in _renewals(len(values), period):
        oldest = np.maximum(0, np.arange(first + 1, behind + 1) - 2 * period)
        metric = _metric(points[oldest[0] : oldest[0] + num_training])
        ours = _turned(points[first - num_rows + 1 : behind - num_rows + 1], metric)
        theirs = _turned(points[oldest[0] : oldest[-1] + num_training], metric)
        begins = oldest - oldest[0]
        strange.append(_to_nearest(ours, theirs, num_neighbours, begins=begins, ends=begins + num_training))
    return np.append(np.zeros(num_rows - 1), ranked(np.concatenate(strange), window=num_training))


def long_memory(
    values: Values, *, period: int, num_rows: int = NUM_ROWS, num_neighbours: int = NUM_NEIGHBOURS
) -> Values:
    """The conformal score of each row, by its distance to everything before it.

    A point is compared with all earlier points that share no row with it, but never with fewer than the first period's.

    Args:
        values: The series.
        period: Rows whose points are compared with each other at first, and by as many of which a point is ranked.
        num_rows: Of a point.
        num_neighbours: Of a point.

    Returns:
        0 to 1; 0 in the first `period` - 1 rows.

    Raises:
        BadInput: the period holds no more points than neighbours, or a value is not finite.
    """
    num_training = _require(values, period=period, num_rows=num_rows, num_neighbours=num_neighbours)
    if len(values) < period:
        return np.zeros(len(values))
    points = _points(values, num_rows)
    strange = [_among_themselves(points[:num_training], num_neighbours)]
    for first in range(num_training, len(points), BLOCK):
        ends = np.arange(first, min(first + BLOCK, len(points))) - num_rows + 1
        ends = np.maximum(ends, min(num_training, first))
        known, begins = points[: ends[-1]], np.zeros(len(ends), int)
        strange.append(_to_nearest(points[first : first + BLOCK], known, num_neighbours, begins=begins, ends=ends))
    return np.append(np.zeros(num_rows - 1), ranked(np.concatenate(strange), window=num_training))


def _require(values: Values, *, period: int, num_rows: int, num_neighbours: int) -> int:
    """The number of points in the first period, less one, if it is enough."""
    require_finite(values)
    if num_rows < 1 or num_neighbours < 1 or period <= num_rows + num_neighbours:
        raise BadInput(
            f"period: expected more than num_rows + num_neighbours, each at least 1, got {period} for {num_rows} + "
            f"{num_neighbours}"
        )
    return period - num_rows


def _points(values: Values, num_rows: int) -> Points:
    """Every stretch of that many rows; laid out whole, which distances are a third faster on."""
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(values, num_rows))


def _renewals(num_rows: int, period: int) -> Iterator[tuple[int, int]]:
    """The stretches of rows, the first and the one behind, that share one metric."""
    halves = [start for whole in range(period - 1, num_rows, period) for start in (whole, whole + period // 2)]
    starts = [start for start in halves if start < num_rows]
    yield from zip(starts, [*starts[1:], num_rows], strict=True)


def _metric(training: Points) -> Float[np.ndarray, "num_rows num_rows"]:
    """A matrix whose product with points makes their Mahalanobis distances Euclidean."""
    eigenvalues, vectors = np.linalg.eigh(training.T @ training)
    least = RIDGE * eigenvalues.mean() or 1.0  # of a series of zeros any will do
    return vectors / np.sqrt(np.maximum(eigenvalues, 0) + least)


def _turned(points: Points, metric: Float[np.ndarray, "num_rows num_rows"]) -> Points:
    """The product, in which equal points stay equal: a matrix library rounds by the number of rows."""
    return np.einsum("pr,rm->pm", points, metric)


def _among_themselves(points: Points, num_neighbours: int) -> Strangeness:
    """Of each point among all of them; it is its own neighbour at distance 0, beside the others."""
    everyone = np.full(len(points), len(points))
    return _to_nearest(points, points, num_neighbours + 1, begins=np.zeros_like(everyone), ends=everyone)


def _to_nearest(
    points: Points,
    known: Float[np.ndarray, "known num_rows"],
    num: int,
    *,
    begins: Int64[np.ndarray, " points"],
    ends: Int64[np.ndarray, " points"],
) -> Strangeness:
    """Sum of the `num` least squared distances of each point i to known[begins[i] : ends[i]]."""
    apart, places = cdist(points, known, "sqeuclidean"), np.arange(len(known))
    apart[(places < begins[:, None]) | (places >= ends[:, None])] = np.inf
    return np.partition(apart, num - 1, axis=1)[:, :num].sum(axis=1)
