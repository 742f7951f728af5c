"""Do the audit's intervals hold what they promise? Simulated attacks whose true AUC and rates are known.

Members' scores are normal with a mean of their own, non-members' standard normal. Beside the intervals that the audit
states stands the one that it does not: an exact interval at a threshold taken from the very non-members it speaks of.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from bench.reporting import Goal, at_least
from mintmark.intervals import auc_bootstrap, proportion
from mintmark.privacy.aucs import auc_delong, auc_family
from mintmark.privacy.chosen import chosen_measurements
from mintmark.privacy.rates import Scores, freeze, operating_point
from mintmark.progress import track

SHIFT, FPR = 0.5, 0.01
NUM_MEMBERS, NUM_OTHERS = 400, 300
SIMULATIONS, RESAMPLES = 1000, 500
NAIVE = "exact interval at an empirical threshold (not used)"

TRUE_AUC = float(stats.norm.cdf(SHIFT / np.sqrt(2)))


class Draw(NamedTuple):
    """One simulated audit."""

    scores: Scores
    rng: np.random.Generator


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """The share of simulations in which each interval holds the truth; one process is enough."""
    del workers
    simulations = 20 if quick else SIMULATIONS
    hits = dict.fromkeys((*INTERVALS, NAIVE), 0)
    rng = np.random.default_rng(0)
    for _ in track(range(simulations), "coverage", total=simulations):
        drawn = Draw(Scores(rng.normal(SHIFT, 1.0, NUM_MEMBERS), rng.normal(size=NUM_OTHERS)), rng)
        for name, covers in {**INTERVALS, NAIVE: naive}.items():
            hits[name] += int(covers(drawn))
    details: dict[str, Any] = {"simulations": simulations}
    goals = []
    for name, number in hits.items():
        rate = proportion(number, simulations)
        figures = 100 * rate.value, (100 * rate.low, 100 * rate.high)
        if name == NAIVE:
            details[name] = [figures[0], *figures[1]]
        else:
            goals.append(at_least(93.0, f"coverage of {name}", *figures, unit="%"))
    return goals, details


def bootstrap(draw: Draw) -> bool:
    """The bootstrap interval of an AUC."""
    found = auc_bootstrap(*draw.scores, rng=draw.rng, resamples=RESAMPLES)
    return found.low <= TRUE_AUC <= found.high


def analytic(draw: Draw) -> bool:
    """The analytic interval of an AUC."""
    found = auc_delong(*draw.scores)
    return found.low <= TRUE_AUC <= found.high


def family(draw: Draw) -> bool:
    """The simultaneous bounds of five attacks, two of which agree."""
    rng = draw.rng
    rows = [draw.scores, Scores(*(side + rng.normal(0.0, 0.1, len(side)) for side in draw.scores))]
    rows += [Scores(rng.normal(SHIFT, 1.0, NUM_MEMBERS), rng.normal(size=NUM_OTHERS)) for _ in range(3)]
    sides = (np.stack([row[place] for row in rows]) for place in range(2))
    found = auc_family(*sides, rng=rng, resamples=RESAMPLES)
    return all(one.high >= TRUE_AUC - 0.002 for one in found.together)  # the noise of the second takes as much


def frozen(draw: Draw) -> bool:
    """The exact interval of the TPR at a threshold frozen on half of the non-members."""
    half = np.arange(NUM_OTHERS) < NUM_OTHERS // 2
    point = operating_point(draw.scores, calibrating=half, fpr=FPR)
    threshold = freeze(draw.scores.non_members[half], fpr=FPR)
    assert point is not None
    assert threshold is not None
    return point.tpr.low <= stats.norm.sf(threshold - SHIFT) <= point.tpr.high


def chosen(draw: Draw) -> bool:
    """The advantage of the best of ten attacks that know nothing, chosen on half of the records."""
    rng = draw.rng
    attacks = {str(place): Scores(rng.normal(size=200), rng.normal(size=200)) for place in range(10)}
    gain = chosen_measurements("samples", attacks, seed=int(rng.integers(1 << 30)), control="none")[0][0]
    assert gain.low is not None
    assert gain.high is not None
    return gain.low <= 0.0 <= gain.high


def naive(draw: Draw) -> bool:
    """TPR at an FPR of 1%, with an exact interval, as if the empirical threshold were the true one."""
    threshold = np.quantile(draw.scores.non_members, 1.0 - FPR)
    found = proportion(int((draw.scores.members > threshold).sum()), NUM_MEMBERS)
    return found.low <= stats.norm.sf(stats.norm.isf(FPR) - SHIFT) <= found.high


INTERVALS: dict[str, Callable[[Draw], bool]] = {
    "the bootstrap interval of an AUC": bootstrap,
    "the analytic interval of an AUC": analytic,
    "simultaneous bounds of five AUCs": family,
    "the exact interval at a frozen threshold": frozen,
    "the advantage of the attack chosen on half": chosen,
}
