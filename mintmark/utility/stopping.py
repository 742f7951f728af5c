"""How many seeds are enough: a few planned looks at the interval, and the price that each look costs.

Whoever looks after every seed and stops once the interval pleases is wrong far more often than the interval says. Here
the numbers of seeds at which anybody looks are fixed beforehand, and the error rate is shared out among the looks
(alpha spending, Lan and DeMets 1983), to each by the seeds that are new in it. The shares add up to the whole, so by the
union bound all intervals of all looks together err no more often than one would, however they depend on one another.
Boundaries that use the looks' correlation would be narrower; but it depends on how much of the doubt is the test
records', which no look shrinks and nobody knows. Stopping concerns seeds alone: the test records' part of the interval
stays whatever is added.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from scipy import stats

from mintmark.intervals import CrossedParts, crossed_parts
from mintmark.utility.comparison import LEVEL, Advantage, Outcome, judge

FEWEST_SEEDS = 5
Reason = Literal["answered", "more seeds would not tell", "budget spent"]


@dataclass(frozen=True, slots=True)
class Looks:
    """The numbers of seeds at which the interval is looked at; each counts the seeds of the looks before.

    Attributes:
        seeds: Rising; the last is the budget.
    """

    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        rising = all(one < other for one, other in pairwise(self.seeds))
        if not self.seeds or not rising or self.seeds[0] < FEWEST_SEEDS:
            raise ValueError(f"looks must be rising numbers of seeds from {FEWEST_SEEDS} on, got {list(self.seeds)}")

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def budget(self) -> int:
        """The most seeds."""
        return self.seeds[-1]

    def spent(self, look: int) -> float:
        """The share of the error rate, 0 to 1, that a look (from 0) uses up. All shares add up to 1."""
        before = self.seeds[look - 1] if look else 0
        return (self.seeds[look] - before) / self.budget

    def level(self, look: int) -> float:
        """The coverage of the intervals at a look, such that all looks together keep `LEVEL`."""
        return 1.0 - (1.0 - LEVEL) * self.spent(look)

    def correct(self, p_value: float, look: int) -> float:
        """A p-value at a look, corrected for all looks: below 1 - LEVEL just where it is below the look's own part."""
        return min(1.0, p_value / self.spent(look))


def why_stop(
    found: Advantage,
    outcome: Outcome,
    rivals: Mapping[str, Outcome],
    *,
    best_rival: str,
    margin: float,
    look: int,
    looks: Looks,
    controls_passed: bool,
) -> Reason | None:
    """Why no seed is added after a look; None where more are.

    Args:
        found: The advantage at this look, at the look's own level.
        outcome: Of the chosen synthetic arm.
        rivals: The outcomes of its rivals, by name.
        best_rival: The rival that validation found best.
        margin: Gains up to this count as none.
        look: Which look this is, from 0.
        looks: All of them.
        controls_passed: Whether the controls showed what they must; where they did not, nothing is answered.
    """
    if controls_passed and judge(found, margin=margin) != "no evidence":
        return "answered"
    if look + 1 == len(looks):
        return "budget spent"
    parts = {name: crossed_parts(outcome - rival, lowest=-1.0, highest=1.0) for name, rival in rivals.items()}
    level = looks.level(len(looks) - 1)
    open_still = _within_reach(parts, best_rival=best_rival, margin=margin, level=level, num_seeds=len(outcome))
    return None if open_still else "more seeds would not tell"


def _within_reach(
    parts: Mapping[str, CrossedParts], *, best_rival: str, margin: float, level: float, num_seeds: int
) -> bool:
    """Whether any answer could come of seeds without number.

    The interval then moves as far as seeds leave it in doubt, and shrinks to what the test records alone leave. Stopping
    where no answer could come claims nothing, and so costs no error rate.
    """
    of_seeds, of_records = float(stats.t.ppf(0.5 + level / 2, num_seeds - 1)), float(stats.norm.ppf(0.5 + level / 2))
    drift = {name: of_seeds * one.of_seeds**0.5 for name, one in parts.items()}
    half = {name: of_records * one.of_records**0.5 for name, one in parts.items()}
    highest_low = min(one.centre + drift[name] - half[name] for name, one in parts.items())
    lowest_high = parts[best_rival].centre - drift[best_rival] + half[best_rival]
    narrow = half[best_rival] < margin
    within = narrow and highest_low > -margin and lowest_high < margin
    return highest_low > margin or lowest_high < -margin or within
