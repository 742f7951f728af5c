"""A lower bound on epsilon from one training run (Steinke, Nasr and Jagielski 2023, "Privacy auditing with one training run").

Each of m canaries enters the training set by a fair coin of its own. The attacker guesses r of the coins and abstains from
the rest; v guesses are right. If training were (epsilon, delta)-private, v would hardly exceed a binomial variable of r
trials that each come true with probability e^epsilon / (1 + e^epsilon). The largest epsilon at which v is too many is the
bound: the training is not (that epsilon, delta)-private, at the stated confidence.

How many canaries are guessed must not depend on the coins that are counted: it is fixed beforehand (`guesses`), or chosen
on other canaries (`bound_by_split`). The best of several numbers on the same scores is no bound.
Knows nothing of what the scores come from.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy import stats

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)  # of the canaries that are guessed, where a split chooses
SMALLEST_SPLIT = 8  # canaries: two guesses of each half, and some to abstain from
HALVINGS = 40  # of the bracket; far below any digit that is shown


class Bound(NamedTuple):
    """A lower bound on epsilon, and the guesses behind it.

    Attributes:
        epsilon: The bound, 0 or more; 0 says nothing.
        num_canaries: m, over which the guesses were made.
        num_guesses: r.
        num_correct: v.
        by: Whose scores were asked.
    """

    epsilon: float
    num_canaries: int
    num_guesses: int
    num_correct: int
    by: str


@lru_cache(maxsize=4096)  # the same counts come back for every score and share
def epsilon_bound(*, num_canaries: int, num_guesses: int, num_correct: int, delta: float, level: float = 0.95) -> float:
    """The largest epsilon that the guesses reject; 0 where they reject none.

    Args:
        num_canaries: m, each included by a fair coin.
        num_guesses: r, fixed without regard to the coins counted here.
        num_correct: v, the guesses that were right.
        delta: Of the claim; 0 for pure differential privacy.
        level: Confidence that the true epsilon is no smaller.

    Raises:
        ValueError: the counts do not nest, or delta or level lies outside its range.
    """
    if not 0 <= num_correct <= num_guesses <= num_canaries:
        raise ValueError(
            f"expected 0 <= correct <= guesses <= canaries, got {num_correct}, {num_guesses} and {num_canaries}"
        )
    if not 0.0 <= delta < 1.0 or not 0.0 < level < 1.0:
        raise ValueError(f"delta must lie in 0..1 and level between 0 and 1, got {delta} and {level}")

    def rejected(epsilon: float) -> bool:
        chance = p_value(
            epsilon, num_canaries=num_canaries, num_guesses=num_guesses, num_correct=num_correct, delta=delta
        )
        return chance <= 1.0 - level

    low, high = 0.0, _pure_bound(num_guesses, num_correct, level)
    if delta == 0.0:
        return high
    if not rejected(low):
        return 0.0
    for _ in range(HALVINGS):  # low is always rejected, so what is returned is, whatever delta's term does between
        middle = (low + high) / 2
        low, high = (middle, high) if rejected(middle) else (low, middle)
    return low


def p_value(epsilon: float, *, num_canaries: int, num_guesses: int, num_correct: int, delta: float) -> float:
    """P(so many guesses right, or more) under (epsilon, delta)-privacy, at most.

    Theorem 5.2 of the paper, with W binomial of r trials and q = e^epsilon / (1 + e^epsilon):

        P(W >= v) + 2 m delta max over i = 1..m of P(v - i <= W < v) / i

    Beyond i = v the numerator grows no more and the quotient falls, so 1..v suffice.
    """
    rate = 1.0 / (1.0 + np.exp(-epsilon))
    beyond = float(stats.binom.sf(num_correct - 1, num_guesses, rate))
    if delta == 0.0 or num_correct == 0:
        return beyond
    just_below = stats.binom.pmf(np.arange(num_correct - 1, -1, -1), num_guesses, rate)
    steepest = float((np.cumsum(just_below) / np.arange(1, num_correct + 1)).max())
    return min(1.0, beyond + 2.0 * num_canaries * delta * steepest)


def _pure_bound(num_guesses: int, num_correct: int, level: float) -> float:
    """The bound where delta is 0: the log odds of the lower end of Clopper and Pearson (1934); at least 0.

    With all r right that end is (1 - level)^(1 / r). No delta above 0 rejects more, so it brackets the search.
    """
    if num_correct == 0:
        return 0.0
    rate = float(stats.beta.ppf(1.0 - level, num_correct, num_guesses - num_correct + 1))
    return max(0.0, float(np.log(rate / (1.0 - rate))))


def guesses(scores: Float[np.ndarray, " canaries"], num_guesses: int) -> Int64[np.ndarray, " canaries"]:
    """The guess of every coin by rank alone: 1 for the highest half of the guesses, -1 for the lowest, 0 for none.

    Args:
        scores: High where the canary looks like a training record. Equal scores keep the canaries' order.
        num_guesses: r, even, at most the number of canaries.

    Raises:
        ValueError: num_guesses is odd, or more than there are canaries.
    """
    if num_guesses % 2 or not 0 <= num_guesses <= len(scores):
        raise ValueError(f"num_guesses must be even and at most {len(scores)}, got {num_guesses}")
    order, half = np.argsort(scores, kind="stable"), num_guesses // 2
    guessed = np.zeros(len(scores), np.int64)
    guessed[order[:half]] = -1
    guessed[order[len(scores) - half :]] = 1
    return guessed


def bound_of_guesses(
    scores: Float[np.ndarray, " canaries"],
    included: Bool[np.ndarray, " canaries"],
    *,
    num_guesses: int,
    delta: float,
    level: float = 0.95,
    by: str = "score",
) -> Bound:
    """The bound from a number of guesses that was fixed without a look at these coins."""
    guessed = guesses(scores, num_guesses)
    correct = int((guessed == np.where(included, 1, -1)).sum())
    found = epsilon_bound(
        num_canaries=len(scores), num_guesses=num_guesses, num_correct=correct, delta=delta, level=level
    )
    return Bound(found, len(scores), num_guesses, correct, by)


def bound_by_split(
    scores: Mapping[str, Float[np.ndarray, " canaries"]],
    included: Bool[np.ndarray, " canaries"],
    *,
    delta: float,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Bound:
    """Choose score and share of guesses on one random half of the canaries; bound on the other half alone.

    Given the coins of the first half, training is as private in those of the second, which are as fair as before.

    Args:
        scores: By name, each of all canaries.
        included: Their coins.
        delta: Of the claim.
        rng: Of the halves.
        level: Confidence of the bound.

    Raises:
        ValueError: there is no score, or fewer than `SMALLEST_SPLIT` canaries.
    """
    if not scores or len(included) < SMALLEST_SPLIT:
        raise ValueError(f"expected a score and {SMALLEST_SPLIT} canaries, got {len(scores)} and {len(included)}")
    order = rng.permutation(len(included))
    choosing, counting = np.array_split(order, 2)

    def bound(rows: np.ndarray, by: str, share: float) -> Bound:
        num_guesses = 2 * max(1, int(share * len(rows)) // 2)
        return bound_of_guesses(
            scores[by][rows], included[rows], num_guesses=num_guesses, delta=delta, level=level, by=by
        )

    by, share = max(
        ((by, share) for by in scores for share in SHARES), key=lambda choice: _promise(bound(choosing, *choice))
    )
    return bound(counting, by, share)


def _promise(found: Bound) -> tuple[float, float]:
    """What a choice is preferred by: its bound; where none bounds anything, its excess of right guesses."""
    excess = (2 * found.num_correct - found.num_guesses) / np.sqrt(found.num_guesses)
    return found.epsilon, float(excess)
