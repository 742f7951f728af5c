"""A lower bound on epsilon from one training run (Steinke, Nasr and Jagielski 2023).

Canaries went into the training data by fair coins of their own. Whoever guesses the coins from the trained model is
right more often than an (epsilon, delta)-private training allows, or not. Knows nothing of models or scores beyond their
order.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize, special

LARGEST_EPSILON = 60.0  # beyond which e^-epsilon is lost in rounding
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)  # of the canaries, among which the number of guesses is chosen


def p_value(num_correct: int, *, num_guesses: int, num_canaries: int, epsilon: float, delta: float) -> float:
    """P(so many guesses right or more), at most, where training is (epsilon, delta)-private (the same, Theorem 5.2).

    With f(v) = P(Binomial(r, e^epsilon / (1 + e^epsilon)) >= v), it is f(v) + 2 m delta max_i (f(v - i) - f(v)) / i.
    """
    probability = 1.0 / (1.0 + np.exp(-epsilon))
    least = np.arange(num_correct, -1, -1)  # v, v - 1, ..., 0
    tails = special.betainc(np.maximum(least, 1), num_guesses - least + 1, probability)  # P(Binomial >= least)
    tails[least == 0] = 1.0
    slope = float(((tails[1:] - tails[0]) / np.arange(1, num_correct + 1)).max()) if num_correct else 0.0
    return min(1.0, float(tails[0]) + 2.0 * num_canaries * delta * slope)


@lru_cache(maxsize=1 << 14)  # the same few numbers come again for every attack, side and number of guesses
def epsilon_bound(num_correct: int, *, num_guesses: int, num_canaries: int, delta: float, level: float = 0.95) -> float:
    """The largest epsilon that is refuted at this level; 0 where none is.

    Args:
        num_correct: Guesses that were right.
        num_guesses: Fixed before the scores that are guessed from were seen.
        num_canaries: All of them, those of whom nothing was guessed included.
        delta: Of the claim.
        level: Of the bound.

    Raises:
        ValueError: not 0 <= correct <= guesses <= canaries.
    """
    if not 0 <= num_correct <= num_guesses <= num_canaries:
        found = f"{num_correct}, {num_guesses} and {num_canaries}"
        raise ValueError(f"num_correct, num_guesses and num_canaries must rise from 0, got {found}")

    def excess(epsilon: float) -> float:
        found = p_value(num_correct, num_guesses=num_guesses, num_canaries=num_canaries, epsilon=epsilon, delta=delta)
        return found - (1.0 - level)

    if num_guesses == 0 or excess(0.0) >= 0.0:
        return 0.0
    return (
        float(optimize.brentq(excess, 0.0, LARGEST_EPSILON, xtol=1e-8))
        if excess(LARGEST_EPSILON) > 0
        else LARGEST_EPSILON
    )


def num_right(
    scores: Float[np.ndarray, " canaries"], planted: Bool[np.ndarray, " canaries"], *, num_guesses: int
) -> int:
    """How many of so many guesses are right: the highest half of them "planted", the lowest half "not", the rest abstained.

    Args:
        scores: Higher for "planted"; of equal ones, the first count as lower.
        planted: The coins.
        num_guesses: An odd one is guessed "planted".
    """
    order = np.argsort(scores, kind="stable")
    low = num_guesses // 2
    high = num_guesses - low
    return int((~planted[order[:low]]).sum() + planted[order[len(order) - high :]].sum())


def chosen_epsilon_bound(
    scores: Float[np.ndarray, "attacks canaries"],
    planted: Bool[np.ndarray, " canaries"],
    *,
    delta: float,
    level: float,
    rng: np.random.Generator,
) -> tuple[float, int, int]:
    """The bound of the attack, side and number of guesses that do best on one half of the canaries, on the other half.

    The largest of many bounds on the same scores would be no bound: it is right less often than it says.

    Args:
        scores: One row an attack; asked both ways round.
        planted: The coins.
        delta: Of the claim.
        level: Of the bound.
        rng: Of the halves.

    Returns:
        The bound, the guesses behind it and how many of them were right.
    """
    order = rng.permutation(len(planted))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    best, choice = -1.0, (0, 1.0, 1.0)
    for row in range(len(scores)):
        for sign in (1.0, -1.0):
            for share in SHARES:
                found = _bound_on(sign * scores[row], planted, first, share, delta=delta, level=level)[0]
                if found > best:
                    best, choice = found, (row, sign, share)
    row, sign, share = choice
    return _bound_on(sign * scores[row], planted, second, share, delta=delta, level=level)


def _bound_on(
    scores: np.ndarray, planted: np.ndarray, rows: np.ndarray, share: float, *, delta: float, level: float
) -> tuple[float, int, int]:
    num_guesses = max(1, round(share * len(rows)))
    right = num_right(scores[rows], planted[rows], num_guesses=num_guesses)
    bound = epsilon_bound(right, num_guesses=num_guesses, num_canaries=len(rows), delta=delta, level=level)
    return bound, num_guesses, right
