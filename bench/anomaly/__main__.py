"""Which detector finds what is foreign, and which way finds wrong labels? Every case, in one JSON line.

python -m bench.anomaly --data folder              all cases; the folder holds mnist/ and fashion-mnist/ as idx files
python -m bench.anomaly --data folder --quick      tiny: proves that it runs
python -m bench.anomaly --data folder --case speed  one case: one_class, wrong_labels, speed, alarms, peers or mosaics
python -m bench.anomaly --data folder --normals 1000 --classes 3 --tested 2000 --seeds 2     a share of the whole
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.anomaly import alarms, mosaics, one_class, peers, speed, wrong_labels
from bench.anomaly.detectors import FITS
from bench.reporting import Goal, finish

CASES: dict[str, Callable[..., tuple[list[Goal], dict[str, Any]]]] = {
    "one_class": one_class.measure,
    "wrong_labels": wrong_labels.measure,
    "speed": speed.measure,
    "alarms": alarms.measure,
    "peers": peers.measure,
    "mosaics": mosaics.measure,
}


def main(
    *,
    data: Annotated[Path, typer.Option(help="A folder with mnist/ and fashion-mnist/.")],
    case: Annotated[list[str] | None, typer.Option(help="Of all cases, these alone.")] = None,
    detector: Annotated[list[str] | None, typer.Option(help="Of one_class: of all detectors, these alone.")] = None,
    normals: Annotated[
        int | None, typer.Option(help="Of each class, of which a fifth is held out; all if not given.")
    ] = None,
    classes: Annotated[int, typer.Option(help="The first so many, each in turn the normal one.")] = 10,
    tested: Annotated[int | None, typer.Option(help="Test images, at random; all if not given.")] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions, 2 at least.")] = 3,
    quick: Annotated[bool, typer.Option(help="Tiny recipes: proves that it runs.")] = False,
    workers: Annotated[int, typer.Option(help="Classes at a time, one thread each.")] = 2,
) -> None:
    """Measure the cases."""
    for name, wanted, known in (("case", case, CASES), ("detector", detector, FITS)):
        if unknown := sorted(set(wanted or ()) - set(known)):
            raise typer.BadParameter(f"{name}: expected some of {sorted(known)}, got {unknown}")
    size = one_class.Size(num_normals=normals, num_classes=classes, num_tested=tested, num_seeds=seeds)
    size = one_class.QUICK if quick else size
    cases = CASES | {"one_class": partial(one_class.measure, detectors=detector or list(FITS), size=size)}
    goals: list[Goal] = []
    details: dict[str, Any] = {"quick": quick}
    for name in case or cases:
        found, details[name] = cases[name](data, quick=quick, workers=workers)
        goals += found
    finish("anomaly", goals, details)


if __name__ == "__main__":
    typer.run(main)
