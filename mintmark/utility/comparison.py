"""Differences between arms, with intervals, and the verdict. Knows nothing of training.

An arm's outcome is a matrix: one row a seed, one column a test record, 1 where the answer was right. The contest's
question is how much the chosen synthetic arm gains over the *better* of two rivals, real and augmented.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from mintmark.intervals import CrossedMean, crossed_above, crossed_mean, smallest_detectable

LEVEL = 0.95
POWER = 0.8

Verdict = Literal["helps", "within margin", "hurts", "no evidence", "inconclusive"]
Outcome = Float[np.ndarray, "seeds records"]


class Advantage(NamedTuple):
    """What the chosen synthetic arm gains over the better of the rivals, and the gain that would have been seen.

    `p_value` is two-sided, of no gain and no loss at all; neither looks nor other questions are reckoned with.
    """

    value: float
    low: float
    high: float
    smallest_detectable: float
    p_value: float


def accuracy(outcome: Outcome, *, level: float = LEVEL) -> CrossedMean:
    """An arm's accuracy over seeds and records."""
    return crossed_mean(outcome, lowest=0.0, highest=1.0, level=level)


def difference(first: Outcome, second: Outcome, *, level: float = LEVEL) -> CrossedMean:
    """The first arm's accuracy minus the second's, paired by seed and by record."""
    return crossed_mean(first - second, lowest=-1.0, highest=1.0, level=level)


def p_value(first: Outcome, second: Outcome) -> float:
    """Two-sided, of no difference between two arms."""
    above = _above(first, second)
    return 2 * min(above, 1 - above)


def worst_class(outcome: Outcome, codes: Int64[np.ndarray, " records"]) -> tuple[int, float]:
    """The class with the lowest accuracy over all seeds, and that accuracy."""
    by_class = {int(code): float(outcome[:, codes == code].mean()) for code in np.unique(codes)}
    worst = min(by_class, key=lambda code: by_class[code])
    return worst, by_class[worst]


def advantage(
    candidate: Outcome, rivals: Mapping[str, Outcome], *, best_rival: str, margin: float, level: float = LEVEL
) -> Advantage:
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
        level: Coverage of the interval.
    """
    found = {name: difference(candidate, rival, level=level) for name, rival in rivals.items()}
    above_all = max(_above(candidate, rival) for rival in rivals.values())
    below_best = 1 - _above(candidate, rivals[best_rival])
    return Advantage(
        value=min(one.value for one in found.values()),
        low=min(one.low for one in found.values()),
        high=found[best_rival].high,
        smallest_detectable=max(
            smallest_detectable(one, margin=margin, power=POWER, level=level) for one in found.values()
        ),
        p_value=min(1.0, 2 * min(above_all, below_best)),
    )


def judge(found: Advantage | CrossedMean, *, margin: float) -> Verdict:
    """The verdict on a difference with an interval.

    helps          the whole interval lies above the margin
    within margin  the whole interval lies between minus the margin and the margin: too small to matter
    hurts          the whole interval lies below minus the margin
    no evidence    anything else: too unsure to tell
    """
    if found.low > margin:
        return "helps"
    if found.high < -margin:
        return "hurts"
    return "within margin" if -margin < found.low and found.high < margin else "no evidence"


def _above(first: Outcome, second: Outcome) -> float:
    """The one-sided p-value of the claim that the first arm is the better one."""
    return crossed_above(first - second, lowest=-1.0, highest=1.0, at=0.0)
