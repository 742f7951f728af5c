"""Does the audit find what leaks, and nothing else? Every case, in one JSON line.

python -m bench.privacy --data folder           all cases; the folder holds fashion-mnist/ (idx) and adult/
python -m bench.privacy --case coverage --quick one case, with tiny numbers: proves that it runs
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.privacy import (
    classifier,
    coverage,
    filter_strength,
    generators,
    known_leaks,
    mutations,
    neighbours,
    prdc,
    side_by_side,
    stacks,
)
from bench.reporting import Goal, finish

Measured = tuple[list[Goal], dict[str, Any]]
WITHOUT_DATA = {
    "coverage": coverage.measure,
    "filter": filter_strength.measure,
    "mutations": mutations.measure,
    "prdc": prdc.measure,
}
WITH_DATA = {
    "known": known_leaks.measure,
    "classifier": classifier.measure,
    "generators": generators.measure,
    "neighbours": neighbours.measure,
    "peers": side_by_side.measure,
    "stacks": stacks.measure,
}


def main(
    *,
    data: Annotated[Path | None, typer.Option(help="A folder with fashion-mnist/ and adult/.")] = None,
    case: Annotated[list[str] | None, typer.Option(help="Of all cases, these alone.")] = None,
    quick: Annotated[bool, typer.Option(help="Tiny numbers: proves that it runs.")] = False,
    workers: Annotated[int, typer.Option(help="Jobs at a time, one thread each.")] = 2,
) -> None:
    """Measure the cases; those that need data are left out where no folder is given."""
    cases: dict[str, Callable[..., Measured]] = {**WITHOUT_DATA}
    if data is not None:
        cases |= {name: partial(measure, data) for name, measure in WITH_DATA.items()}
    if unknown := sorted(set(case or ()) - set(cases)):
        raise typer.BadParameter(f"case: expected some of {sorted(cases)}, got {unknown}; some need --data")
    goals: list[Goal] = []
    details: dict[str, Any] = {"quick": quick}
    for name in case or cases:
        found, details[name] = cases[name](quick=quick, workers=workers)
        goals += found
    finish("privacy", goals, details)


if __name__ == "__main__":
    typer.run(main)
