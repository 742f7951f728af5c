"""A benchmark of several cases: one command, one JSON line."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.reporting import Goal, finish

Measured = tuple[list[Goal], dict[str, Any]]


def command(
    bench: str, *, without_data: Mapping[str, Callable[..., Measured]], with_data: Mapping[str, Callable[..., Measured]]
) -> Callable[..., None]:
    """The command that measures cases, for `typer.run`.

    Args:
        bench: Its name.
        without_data: Cases by name, called with `quick` and `workers`.
        with_data: Cases that take the folder of data first.
    """

    def main(
        *,
        data: Annotated[Path | None, typer.Option(help="A folder with mnist/, fashion-mnist/ and adult/.")] = None,
        case: Annotated[list[str] | None, typer.Option(help="Of all cases, these alone.")] = None,
        quick: Annotated[bool, typer.Option(help="Tiny numbers: proves that it runs.")] = False,
        workers: Annotated[int, typer.Option(help="Jobs at a time, one thread each.")] = 2,
    ) -> None:
        """Measure the cases; those that need data are left out where no folder is given."""
        cases: dict[str, Callable[..., Measured]] = {**without_data}
        if data is not None:
            cases |= {name: partial(measure, data) for name, measure in with_data.items()}
        if unknown := sorted(set(case or ()) - set(cases)):
            raise typer.BadParameter(f"case: expected some of {sorted(cases)}, got {unknown}; some need --data")
        goals: list[Goal] = []
        details: dict[str, Any] = {"quick": quick}
        for name in case or cases:
            found, details[name] = cases[name](quick=quick, workers=workers)
            goals += found
        finish(bench, goals, details)

    return main
