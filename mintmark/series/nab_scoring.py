"""The Numenta Anomaly Benchmark's own score (Lavin and Ahmad 2015, "Evaluating Real-time Anomaly Detection Algorithms").

A label is a window around an anomaly. The earliest alarm inside a window earns the more the earlier it comes, later ones
there earn nothing, a window without an alarm costs, and so does every alarm outside: less close behind a window than far
from any. One threshold serves the whole corpus, and it is the one that does best on that very corpus: so the benchmark
prescribes, and so its scores are optimistic. `held_out_score` is ours beside it: each series is judged at the threshold
that does best on the others.

Where the paper leaves a detail open, the rule is that of the benchmark's published scorer, version 1.1. Knows nothing of
detectors or files.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from mintmark.errors import BadInput

PROBATION_RATE = 0.15
LONGEST_JUDGED = 5_000  # rows beyond these lengthen the probation no further
FAR = 3.0  # window lengths behind a window from which on an alarm counts as wholly false


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What an application gains and loses, each 0 or more (A_TP, A_FP and A_FN of the paper's section II.B).

    Attributes:
        true_positive: Earned by an alarm on a window's first row.
        false_positive: Lost by an alarm far from any window.
        false_negative: Lost by a window without an alarm.
    """

    true_positive: float
    false_positive: float
    false_negative: float


PROFILES = {
    "standard": Profile(true_positive=1.0, false_positive=0.11, false_negative=1.0),
    "reward_low_fp": Profile(true_positive=1.0, false_positive=0.22, false_negative=1.0),
    "reward_low_fn": Profile(true_positive=1.0, false_positive=0.11, false_negative=2.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """The anomaly windows of one series.

    Attributes:
        num_rows: Length of the series.
        windows: First and last row of each, both inside it; in order, apart, each of at least two rows.
    """

    num_rows: int
    windows: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        """Refuse windows that cannot be scored.

        Raises:
            BadInput: names the window.
        """
        free = 0
        for first, last in self.windows:
            if not free <= first < last < self.num_rows:
                raise BadInput(
                    f"windows: expected ordered windows of two rows or more between {free} and {self.num_rows - 1}, "
                    f"got {first} to {last}"
                )
            free = last + 1

    @property
    def inside(self) -> Bool[np.ndarray, " rows"]:
        """Which rows lie in a window."""
        return self.owners >= 0

    @property
    def owners(self) -> Int64[np.ndarray, " rows"]:
        """The window that each row lies in, -1 for none."""
        owners = np.full(self.num_rows, -1, np.int64)
        for number, (first, last) in enumerate(self.windows):
            owners[first : last + 1] = number
        return owners


class Sweep(NamedTuple):
    """The corpus at every threshold that makes a difference, from the highest down.

    Attributes:
        thresholds: A row alarms if its score is at least this; the first is infinity, where none does.
        totals: The raw score of the corpus at each.
    """

    thresholds: Float[np.ndarray, " thresholds"]
    totals: Float[np.ndarray, " thresholds"]


class NabScore(NamedTuple):
    """A detector's result on a corpus.

    Attributes:
        score: 0 for a detector that never alarms, 100 for one that alarms on the first row of each window and never
            else; at the best threshold never below 0.
        threshold: The one that was chosen; infinity if no alarm at all is best.
        raw: The raw score of each series at that threshold.
    """

    score: float
    threshold: float
    raw: Float[np.ndarray, " series"]


def probation(num_rows: int) -> int:
    """The rows at the start that are not judged: 15%, and at most 750."""
    return min(math.floor(PROBATION_RATE * num_rows), math.floor(PROBATION_RATE * LONGEST_JUDGED))


def scaled_sigmoid(positions: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """2 / (1 + exp(5 y)) - 1 (the paper's equation 1, for A_TP = A_FP = 1); -1 where y is above 3.

    Args:
        positions: y, in window lengths: -1 on a window's first row, near 0 on its last, positive behind it.
    """
    return np.where(positions > FAR, -1.0, -np.tanh(2.5 * np.minimum(positions, FAR)))


def row_values(labels: Labels, profile: Profile) -> Float[np.ndarray, " rows"]:
    """What an alarm on each row is worth: positive in a window (if it is the first there), negative outside."""
    values = np.full(labels.num_rows, -profile.false_positive)
    rows = np.arange(labels.num_rows)
    for first, last in labels.windows:  # each overwrites what the one before it said of the rows behind
        length = last - first + 1
        position = (rows[first : last + 1] - last - 1) / length
        earned = scaled_sigmoid(position) / scaled_sigmoid(np.array(-1.0))
        values[first : last + 1] = profile.true_positive * earned
        values[last + 1 :] = profile.false_positive * scaled_sigmoid((rows[last + 1 :] - last) / (length - 1))
    return values


def raw_score(scores: Float[np.ndarray, " rows"], labels: Labels, profile: Profile, *, threshold: float) -> float:
    """The score of one series (the paper's equation 2): rows score at or above the threshold, or do not alarm.

    A window that lies wholly in the probation neither earns nor costs.
    """
    begin = probation(labels.num_rows)
    alarms = scores[begin:] >= threshold
    values, owners = row_values(labels, profile)[begin:], labels.owners[begin:]
    total = float(values[alarms & (owners < 0)].sum())
    for window in np.unique(owners[owners >= 0]):
        earned = values[alarms & (owners == window)]
        total += float(earned[0]) if len(earned) else -profile.false_negative
    return total


def sweep(scores: Sequence[Float[np.ndarray, " _"]], labels: Sequence[Labels], profile: Profile) -> Sweep:
    """The raw score of a corpus at every threshold, in one sort.

    Raises:
        BadInput: a series has not one finite score for each row.
    """
    _require_scores(scores, labels)
    heights, changes, missed = [np.zeros(0)], [np.zeros(0)], 0
    for some, label in zip(scores, labels, strict=True):
        begin = probation(label.num_rows)
        height, owners = some[begin:].astype(float), label.owners[begin:]
        change = row_values(label, profile)[begin:]
        for window in np.unique(owners[owners >= 0]):
            rows = np.flatnonzero(owners == window)
            rows = rows[np.argsort(-height[rows], kind="stable")]
            best = np.maximum.accumulate(np.concatenate([[-profile.false_negative], change[rows]]))
            change[rows] = np.diff(best)
            missed += 1
        heights.append(height)
        changes.append(change)
    height, change = np.concatenate(heights), np.concatenate(changes)
    order = np.argsort(-height, kind="stable")
    height = height[order]
    ends = np.flatnonzero(np.append(height[1:] != height[:-1], True)) if len(height) else np.zeros(0, np.int64)
    totals = np.cumsum(change[order])[ends]
    worst = -profile.false_negative * missed
    return Sweep(np.append(math.inf, height[ends]), np.append(0.0, totals) + worst)


def best_threshold(scores: Sequence[Float[np.ndarray, " _"]], labels: Sequence[Labels], profile: Profile) -> float:
    """The threshold of the highest raw score on the corpus, the highest of several.

    Raises:
        BadInput: a series has not one finite score for each row.
    """
    swept = sweep(scores, labels, profile)
    return float(swept.thresholds[swept.totals.argmax()])


def normalised(raw: Float[np.ndarray, " series"], labels: Sequence[Labels], profile: Profile) -> float:
    """The raw scores' sum on the scale from the null detector, 0, to the perfect one, 100 (the paper's equation 3).

    Raises:
        BadInput: there is no window at all.
    """
    num_windows = sum(len(label.windows) for label in labels)
    if not num_windows:
        raise BadInput("labels: expected at least one anomaly window in the corpus, got none")
    null, perfect = -profile.false_negative * num_windows, profile.true_positive * num_windows
    return float(100 * (raw.sum() - null) / (perfect - null))


def nab_score(scores: Sequence[Float[np.ndarray, " _"]], labels: Sequence[Labels], profile: Profile) -> NabScore:
    """The benchmark's score, at the threshold that does best on this corpus.

    Args:
        scores: One score a row, higher for more anomalous, of each series.
        labels: Of the same series, in the same order.
        profile: What alarms are worth.

    Raises:
        BadInput: a series has not one finite score for each row, or there is no window at all.
    """
    threshold = best_threshold(scores, labels, profile)
    raw = np.array(
        [raw_score(some, label, profile, threshold=threshold) for some, label in zip(scores, labels, strict=True)]
    )
    return NabScore(normalised(raw, labels, profile), threshold, raw)


def held_out_score(
    scores: Sequence[Float[np.ndarray, " _"]], labels: Sequence[Labels], profile: Profile
) -> Float[np.ndarray, " series"]:
    """The raw score of each series at the threshold that does best on all the others.

    Raises:
        BadInput: a series has not one finite score for each row.
    """
    whole = sweep(scores, labels, profile)
    raw = np.zeros(len(labels))
    for place, (some, label) in enumerate(zip(scores, labels, strict=True)):
        alone = sweep([some], [label], profile)
        own = alone.totals[np.searchsorted(-alone.thresholds, -whole.thresholds, side="right") - 1]
        raw[place] = own[(whole.totals - own).round(9).argmax()]  # rounded: equal totals of the others stay equal
    return raw


def _require_scores(scores: Sequence[np.ndarray], labels: Sequence[Labels]) -> None:
    if len(scores) != len(labels):
        raise BadInput(f"scores: expected one array for each of {len(labels)} series, got {len(scores)}")
    for place, (some, label) in enumerate(zip(scores, labels, strict=True)):
        if some.shape != (label.num_rows,) or not np.isfinite(some).all():
            raise BadInput(f"scores of series {place}: expected {label.num_rows} finite values, got {some.shape}")
