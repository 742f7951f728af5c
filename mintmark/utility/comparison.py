"""Differences between arms, with intervals, and the verdict. Knows nothing of training.

An arm's outcome is a matrix: one row a seed, one column a test record, 1 where the answer was right. The contest's
question is how much the chosen synthetic arm gains over the *better* of two rivals, real and augmented.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from mintmark.intervals import CrossedMean, crossed_mean, smallest_detectable

LEVEL = 0.95
POWER = 0.8

Verdict = Literal["helps", "no evidence", "hurts", "inconclusive"]
Outcome = Float[np.ndarray, "seeds records"]


class Advantage(NamedTuple):
    """What the chosen synthetic arm gains over the better of the rivals, and the gain that would have been seen."""

    value: float
    low: float
    high: float
    smallest_detectable: float


def accuracy(outcome: Outcome) -> CrossedMean:
    """An arm's accuracy over seeds and records."""
    return crossed_mean(outcome, lowest=0.0, highest=1.0, level=LEVEL)


def difference(first: Outcome, second: Outcome) -> CrossedMean:
    """The first arm's accuracy minus the second's, paired by seed and by record."""
    return crossed_mean(first - second, lowest=-1.0, highest=1.0, level=LEVEL)


def worst_class(outcome: Outcome, codes: Int64[np.ndarray, " records"]) -> tuple[int, float]:
    """The class with the lowest accuracy over all seeds, and that accuracy."""
    by_class = {int(code): float(outcome[:, codes == code].mean()) for code in np.unique(codes)}
    worst = min(by_class, key=lambda code: by_class[code])
    return worst, by_class[worst]


def advantage(candidate: Outcome, rivals: dict[str, Outcome], *, best_rival: str, margin: float) -> Advantage:
    """The candidate's gain over the better of its rivals: the smallest of its differences.

    The low end is the lowest of the low ends: only who beats every rival beats the best, and an intersection-union test
    needs no correction for their number (Berger 1982). The high end is that of the difference to `best_rival`: the true
    smallest difference is never above the one to a rival that was named beforehand. So each end errs with (1 - level)
    / 2 at most. The high end would not if the rival were picked by the test records.

    Args:
        candidate: The chosen synthetic arm's outcome.
        rivals: The other arms' outcomes, by name.
        best_rival: The rival that validation, not test, found best.
        margin: Gains up to this count as none.
    """
    found = {name: difference(candidate, rival) for name, rival in rivals.items()}
    return Advantage(
        value=min(one.value for one in found.values()),
        low=min(one.low for one in found.values()),
        high=found[best_rival].high,
        smallest_detectable=max(smallest_detectable(one, margin=margin, power=POWER) for one in found.values()),
    )


def judge(found: Advantage | CrossedMean, *, margin: float) -> Verdict:
    """The verdict on a difference with an interval.

    helps         the whole interval lies above the margin
    hurts         the whole interval lies below minus the margin
    no evidence   anything else: too small to matter, or too unsure to tell
    """
    if found.low > margin:
        return "helps"
    return "hurts" if found.high < -margin else "no evidence"
