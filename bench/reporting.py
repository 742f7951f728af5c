"""What every benchmark prints: a table for people on stderr, one JSON object as the last line on stdout."""

import json
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A figure that is held against a goal.

    Attributes:
        name: What was measured.
        value: The median of the repetitions, or an estimate.
        low: The smallest of them, or the lower end of the estimate's interval.
        high: The largest of them, or the upper end.
        unit: Of the four numbers.
        goal: What the value may be at most or at least.
        met: Whether it is.
        sense: "<=" or ">=".
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    goal: float
    met: bool
    sense: str


def at_most(goal: float, name: str, values: Sequence[float], *, unit: str) -> Goal:
    """The median of some repetitions, and their range, against the most that it may be."""
    value = statistics.median(values)
    return Goal(
        name=name,
        value=value,
        low=min(values),
        high=max(values),
        unit=unit,
        goal=goal,
        met=value <= goal,
        sense="<=",
    )


def at_least(goal: float, name: str, figure: float, ends: tuple[float, float], *, unit: str) -> Goal:
    """A figure with the two ends of its interval or range, against the least that it may be."""
    low, high = ends
    return Goal(name=name, value=figure, low=low, high=high, unit=unit, goal=goal, met=figure >= goal, sense=">=")


def finish(bench: str, goals: Sequence[Goal], details: dict[str, Any]) -> None:
    """Print the table and, last, the JSON line."""
    table = Table(title=bench)
    for heading in ("figure", "value", "from to", "goal", "met"):
        table.add_column(heading)
    for one in goals:
        spread = f"{one.low:.3g} to {one.high:.3g}"
        table.add_row(
            one.name, f"{one.value:.3g} {one.unit}", spread, f"{one.sense} {one.goal:g}", "yes" if one.met else "NO"
        )
    Console(file=sys.stderr).print(table)
    rows = [{key: value for key, value in asdict(one).items() if key != "sense"} for one in goals]
    device = f"{platform.machine()} CPU"
    print(json.dumps({"bench": bench, "device": device, "goals": rows, "details": details}, allow_nan=False))
