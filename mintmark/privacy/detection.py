"""Does an attack tell members from non-members at all? Exact tests of chance, for the audit's controls.

Under the null hypothesis, membership is a coin tossed without regard to the scores: members and non-members are
exchangeable. Three statistics are asked, each of both sides of every attack:

- rank sum: is the AUC beyond one half? (Mann and Whitney 1947; normal, with the variance corrected for ties)
- exceedance: do more members than expected lie beyond the non-members' k-th largest score? With k for three rates: the
  audited FPR, a broad one (`BROAD_RATE`), and none at all, "beyond every non-member". The number beyond follows a
  beta-binomial law whatever the scores' distribution, the threshold's own chance included (the exceedance test;
  Gastwirth 1968, Nelson 1993).

"Detected" is said where the lower end of an interval lies above chance, Holm-corrected over all tests of a threat
model. One detection suffices, and Holm's first step is Bonferroni's, so the ends stand at level / number of tests.
Knows nothing of what the scores come from.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from mintmark.privacy.rates import Scores, order_of_threshold

STATISTICS = ("auc", "beyond_rate", "beyond_broad", "beyond_all")
TESTS_PER_ATTACK = 2 * len(STATISTICS)  # two sides
BROAD_RATE = 0.05  # where a leak moves members up, but not past all non-members


class Finding(NamedTuple):
    """The strongest evidence of one threat model's attacks.

    Attributes:
        detected: Whether the lower end lies above chance.
        by: The attack.
        statistic: One of `STATISTICS`.
        side: "high" where members score high, "low" where they score low.
        value: The statistic: an AUC, or the share of members in excess of chance.
        low: The lower end of its interval, one-sided and corrected.
        chance: What it is without a leak: 0.5 for an AUC, 0 for a share in excess.
        p_value: Corrected.
    """

    detected: bool
    by: str
    statistic: str
    side: str
    value: float
    low: float
    chance: float
    p_value: float


def rank_sum(scores: Scores) -> tuple[Float[np.ndarray, "*draws"], Float[np.ndarray, "*draws"]]:
    """The AUC, and its standard deviation where membership is a coin (with ties, Lehmann 1975)."""
    num_members, num_others = scores.members.shape[-1], scores.non_members.shape[-1]
    total = num_members + num_others
    ranks = stats.rankdata(np.concatenate([scores.members, scores.non_members], axis=-1), axis=-1)
    wins = ranks[..., :num_members].sum(axis=-1) - num_members * (num_members + 1) / 2
    spread = ranks.var(axis=-1, ddof=1)  # (total^2 + total) / 12 without ties
    deviation = np.sqrt(num_members * num_others / total * spread) / (num_members * num_others)
    return np.asarray(wins / (num_members * num_others)), np.asarray(deviation)


def num_beyond(scores: Scores, *, order: int) -> np.ndarray:
    """How many members lie above the non-members' `order`-th largest score: (*draws)."""
    place = scores.non_members.shape[-1] - order
    threshold = np.partition(scores.non_members, place, axis=-1)[..., place]
    return np.asarray((scores.members > threshold[..., None]).sum(axis=-1))


def beyond_p_value(hits: np.ndarray, *, num_members: int, num_non_members: int, order: int) -> np.ndarray:
    """P(at least so many members beyond the k-th largest of n non-members), where membership is a coin.

    The share of the population beyond is Beta(k, n + 1 - k), so the number is beta-binomial.
    """
    return np.asarray(stats.betabinom.sf(hits - 1, num_members, order, num_non_members + 1 - order))


def p_values(scores: Scores, *, fpr: float) -> np.ndarray:
    """The uncorrected p-values of all tests of one attack: (tests, *draws), as `STATISTICS`, first high, then low."""
    num_members, num_others = scores.members.shape[-1], scores.non_members.shape[-1]
    auc, deviation = rank_sum(scores)
    lean = np.divide(auc - 0.5, deviation, out=np.zeros_like(auc), where=deviation > 0)
    found = []
    for side, sign in ((scores, 1.0), (scores.reversed(), -1.0)):
        found.append(stats.norm.sf(sign * lean))
        for order in _orders(num_others, fpr):
            hits = num_beyond(side, order=order)
            found.append(beyond_p_value(hits, num_members=num_members, num_non_members=num_others, order=order))
    return np.stack(found)


def _orders(num_non_members: int, fpr: float) -> tuple[int, int, int]:
    """Which largest non-member is the threshold of the statistics beyond the rate, the broad rate, and all."""
    rate, broad = (max(1, order_of_threshold(num_non_members, fpr=one)) for one in (fpr, BROAD_RATE))
    return rate, broad, 1


def detect(attacks: dict[str, Scores], *, fpr: float, level: float) -> Finding:
    """The strongest of all tests of some attacks, against chance.

    Args:
        attacks: Scores by the attack's name, all of one threat model.
        fpr: The rate of "beyond_rate".
        level: Chance that anything is detected where nothing leaks, at most.

    Raises:
        ValueError: there are no attacks.
    """
    if not attacks:
        raise ValueError("attacks must hold at least one, got none")
    shared = level / (TESTS_PER_ATTACK * len(attacks))
    found = {name: p_values(scores, fpr=fpr) for name, scores in attacks.items()}
    by = min(found, key=lambda name: float(found[name].min()))
    place = int(found[by].argmin())
    side, statistic = ("high", "low")[place // len(STATISTICS)], STATISTICS[place % len(STATISTICS)]
    scores = attacks[by] if side == "high" else attacks[by].reversed()
    if statistic == "auc":
        auc, deviation = (float(one) for one in rank_sum(scores))
        value, low, chance = auc, auc - float(stats.norm.isf(shared)) * deviation, 0.5
    else:
        order = _orders(len(scores.non_members), fpr)[STATISTICS.index(statistic) - 1]
        value, low = _excess(scores, order=order, level=shared)
        chance = 0.0
    p_value = min(1.0, float(found[by].min()) * TESTS_PER_ATTACK * len(attacks))
    return Finding(p_value < level, by, statistic, side, value, max(low, 0.0), chance, p_value)


def _excess(scores: Scores, *, order: int, level: float) -> tuple[float, float]:
    """The share of members beyond the k-th largest non-member in excess of chance, and its lower end.

    The end inverts the test: the least number of exposed members, all of them beyond, that leaves the rest credible.
    """
    num_members, num_others = len(scores.members), len(scores.non_members)
    hits = int(num_beyond(scores, order=order))
    exposed = 0
    while exposed < hits:
        rest = num_members - exposed
        credible = stats.betabinom.sf(hits - exposed - 1, rest, order, num_others + 1 - order)
        if credible >= level:
            break
        exposed += 1
    expected = order / (num_others + 1)
    value = max(0.0, (hits / num_members - expected) / (1.0 - expected))
    return value, exposed / num_members


def pooled(draws: list[Scores]) -> Scores:
    """One score a record out of repeated draws of a control: the mean of its ranks over the draws.

    The draws share their members and non-members, so their AUCs are no independent sample, and averaging them does
    not shrink the chance of the records. But none of the draws saw a coin: given the draws, the mean rank is a fixed
    function of the record, and the coin test of it is exact. The noise of the draws is averaged out; the chance of
    the records stays in the test, where it belongs.

    Raises:
        ValueError: there are no draws, or they are of different records.
    """
    if not draws or len({(len(draw.members), len(draw.non_members)) for draw in draws}) > 1:
        raise ValueError(f"draws must be of the same records, got {len(draws)} draws that are not")
    ranks = [stats.rankdata(np.concatenate([draw.members, draw.non_members])) for draw in draws]
    mean = np.mean(ranks, axis=0)
    return Scores(mean[: len(draws[0].members)], mean[len(draws[0].members) :])
