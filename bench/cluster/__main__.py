"""How well clusters agree with classes that they never saw, in one JSON line.

python -m bench.cluster --data folder           all cases; the folder holds mnist/ as idx files
python -m bench.cluster --data folder --quick   with tiny recipes: proves that it runs
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cluster import mnist
from bench.reporting import Goal, finish

CASES: dict[str, Callable[..., tuple[list[Goal], dict[str, Any]]]] = {"mnist": mnist.measure}


def main(
    *,
    data: Annotated[Path, typer.Option(help="A folder with mnist/.")],
    case: Annotated[list[str] | None, typer.Option(help="Of all cases, these alone.")] = None,
    quick: Annotated[bool, typer.Option(help="Tiny recipes: proves that it runs.")] = False,
) -> None:
    """Measure the cases."""
    if unknown := sorted(set(case or ()) - set(CASES)):
        raise typer.BadParameter(f"case: expected some of {sorted(CASES)}, got {unknown}")
    goals: list[Goal] = []
    details: dict[str, Any] = {"quick": quick}
    for name in case or CASES:
        found, details[name] = CASES[name](data, quick=quick)
        goals += found
    finish("cluster", goals, details)


if __name__ == "__main__":
    typer.run(main)
