"""What every benchmark prints: a table for people on stderr, one JSON object as the last line on stdout."""

import json
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A figure that is held against a goal.

    Attributes:
        name: What was measured.
        value: The median of the repetitions.
        low: The smallest of them.
        high: The largest of them.
        unit: Of the four numbers.
        goal: The most that the value may be, or the least where `least` is set.
        least: Whether it is the least.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    goal: float
    least: bool = False

    @property
    def met(self) -> bool:
        """Whether the median is within the goal."""
        return self.value >= self.goal if self.least else self.value <= self.goal


def at_most(goal: float, name: str, values: Sequence[float], *, unit: str) -> Goal:
    """The median of some repetitions, and their range, against the most that it may be."""
    return Goal(name=name, value=statistics.median(values), low=min(values), high=max(values), unit=unit, goal=goal)


def at_least(goal: float, name: str, values: Sequence[float], *, unit: str) -> Goal:
    """The median of some repetitions, and their range, against the least that it may be."""
    return replace(at_most(goal, name, values, unit=unit), least=True)


def finish(bench: str, goals: Sequence[Goal], details: dict[str, Any]) -> None:
    """Print the table and, last, the JSON line."""
    table = Table(title=bench)
    for heading in ("figure", "median", "range", "goal", "met"):
        table.add_column(heading)
    for one in goals:
        spread = f"{one.low:.3g} to {one.high:.3g}"
        table.add_row(
            one.name,
            f"{one.value:.3g} {one.unit}",
            spread,
            f"{'>=' if one.least else '<='} {one.goal:g}",
            "yes" if one.met else "NO",
        )
    Console(file=sys.stderr).print(table)
    rows = [asdict(one) | {"met": one.met} for one in goals]
    for row in rows:
        del row["least"]
    device = f"{platform.machine()} CPU"
    print(json.dumps({"bench": bench, "device": device, "goals": rows, "details": details}, allow_nan=False))
