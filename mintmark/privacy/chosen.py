"""What an attacker achieves who has to choose: attack, side and threshold on one half of the records, for the other.

The best of many attacks on the records it was chosen on flatters itself; on the other half it has to prove itself.
Knows nothing of what scores come from.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from mintmark.evidence import Measurement
from mintmark.intervals import Interval
from mintmark.privacy.rates import Scores
from mintmark.privacy.rounding import DIGITS, LEVEL, rounded_down, rounded_up

SET_SIZE = 100  # records of one owner, say


class Choice(NamedTuple):
    """An attack that was chosen.

    Attributes:
        attack: Its name.
        sign: 1 where members score high, -1 where they score low.
        threshold: Above which sign times the score says "member".
    """

    attack: str
    sign: float
    threshold: float


def first_halves(
    num_members: int, num_non_members: int, *, seed: int
) -> tuple[Bool[np.ndarray, " members"], Bool[np.ndarray, " non_members"]]:
    """Which members and which non-members are for choosing: a random half of each."""
    masks = []
    for place, num in enumerate((num_members, num_non_members)):
        mask = np.zeros(num, bool)
        mask[np.random.default_rng([seed, 40, place]).permutation(num)[: num // 2]] = True
        masks.append(mask)
    return masks[0], masks[1]


def choose(attacks: Mapping[str, Scores]) -> Choice:
    """The attack, side and threshold of the largest advantage, TPR - FPR, on these records (Yeom et al. 2018)."""
    best, found = -1.0, Choice(next(iter(attacks)), 1.0, np.inf)
    for name, scores in attacks.items():
        for sign in (1.0, -1.0):
            members, others = np.sort(sign * scores.members), np.sort(sign * scores.non_members)
            thresholds = np.unique(np.concatenate([members, others]))
            above = [1.0 - np.searchsorted(side, thresholds, side="right") / len(side) for side in (members, others)]
            place = int((above[0] - above[1]).argmax())
            if above[0][place] - above[1][place] > best:
                best = float(above[0][place] - above[1][place])
                found = Choice(name, sign, float(thresholds[place]))
    return found


def advantage(scores: Scores, choice: Choice, *, level: float) -> Interval:
    """TPR - FPR of the chosen attack on fresh records, with Newcombe's interval (1998, method 10)."""
    hits, alarms = (int((choice.sign * side > choice.threshold).sum()) for side in scores)
    sizes = len(scores.members), len(scores.non_members)
    low, high = confint_proportions_2indep(hits, sizes[0], alarms, sizes[1], method="newcomb", alpha=1.0 - level)
    return Interval(hits / sizes[0] - alarms / sizes[1], float(low), float(high))


def set_accuracy(scores: Scores, choice: Choice, *, size: int, level: float) -> Interval:
    """How often the chosen attack tells a set of members from a set of non-members (Hilprecht et al. 2019).

    It sums ranks over each set of `size` records and calls the larger sum the members'. For independent records the
    sums are nearly normal, so it is right with probability Phi(sqrt(size) d / s), with d the difference of the mean
    ranks and s^2 the sum of their variances. The interval is that of d by Welch (1947), carried through.
    """
    ranks = stats.rankdata(choice.sign * np.concatenate(scores))
    members, others = ranks[: len(scores.members)], ranks[len(scores.members) :]
    spread = float(np.sqrt(members.var(ddof=1) + others.var(ddof=1)))
    if spread == 0.0:  # every record scores alike
        return Interval(0.5, 0.5, 0.5)
    ends = stats.ttest_ind(members, others, equal_var=False).confidence_interval(level)
    found = [members.mean() - others.mean(), ends.low, ends.high]
    value, low, high = stats.norm.cdf(np.sqrt(size) * np.array(found) / spread).tolist()
    return Interval(value, low, high)


def chosen_measurements(
    threat: str, attacks: Mapping[str, Scores], *, seed: int, control: str
) -> tuple[list[Measurement], str]:
    """Advantage and accuracy on sets of the attack chosen on one half, measured on the other; and which it was."""
    one = next(iter(attacks.values()))
    first = first_halves(len(one.members), len(one.non_members), seed=seed)
    choice = choose({name: Scores(s.members[first[0]], s.non_members[first[1]]) for name, s in attacks.items()})
    whole = attacks[choice.attack]
    rest = Scores(whole.members[~first[0]], whole.non_members[~first[1]])
    gain = advantage(rest, choice, level=LEVEL)
    sets = set_accuracy(rest, choice, size=SET_SIZE, level=LEVEL)
    n = len(rest.members) + len(rest.non_members)
    return [
        Measurement(
            name=f"{threat}_advantage",
            value=round(gain.value, DIGITS),
            low=rounded_down(gain.low, least=-1.0),
            high=rounded_up(gain.high),
            level=LEVEL,
            unit="difference",
            n=n,
            control=control,
            note="Members found less false alarms, by the attack and threshold that did best on other records.",
        ),
        Measurement(
            name=f"{threat}_set_accuracy",
            value=round(sets.value, DIGITS),
            low=rounded_down(sets.low),
            high=rounded_up(sets.high),
            level=LEVEL,
            unit="rate",
            n=n,
            control=control,
            note=f"How often that attack tells {SET_SIZE} members from {SET_SIZE} others; 50% is guessing.",
        ),
    ], choice.attack
