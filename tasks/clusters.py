"""Clusters of a record file of any kind: which groups its records fall into, and what is typical of each.

python -m tasks.clusters data/split/train.parquet out/        or: make clusters RECORDS=data/split/train.parquet OUT=out

No stage: it reads and writes where it is told to, and needs no release. Labels, where there are any, only score the
clusters. Writes `assignments.parquet`, `clusters.csv`, `report.json`, `prototypes.png`, `number.png`; of series and images
`aligned.parquet`, of a table `profiles.csv`. What it writes is made of real records: keep it inside.
"""

import sys
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import typer

from mintmark.cluster.clustering import Assignment, Clustering, Fit
from mintmark.cluster.kinds import Records, Series, Table, read_records
from mintmark.cluster.membership import agreement, sizes
from mintmark.cluster.methods import SHIFTING, Method, fit, quick
from mintmark.cluster.number import Choice, Range, choose_number
from mintmark.cluster.pictures import draw_number
from mintmark.errors import BadInput
from mintmark.evidence import Measurement, Report, write_report
from mintmark.files import whole_folder

HEADLINE = ("accuracy", "nmi", "num_clusters")
ROUNDS = 4  # random thirds of the records, for each number of clusters that is tried
TRIED_ON = {False: 1000, True: 300}  # records that choose a number, at most: fewer where every shift is tried
OF_LENGTH = 10  # a series is shifted by so manieth of its length, if nothing else is asked


class Kind(StrEnum):
    """How to cluster."""

    kmeans = "kmeans"
    mixture = "mixture"
    shifts = "shifts"
    warps = "warps"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the command is asked for.

    Attributes:
        num_clusters: None to choose.
        most: The largest number to choose from.
        method: None for the kind's own: shifts of series, else K-means.
        shift: The farthest, in time steps or pixels; None for a tenth of the length.
        alike: Whether the form of a series alone counts.
        drop: Columns of a table to leave out.
        seed: Of every draw.
    """

    num_clusters: int | None = None
    most: int = 10
    method: Method | None = None
    shift: int | None = None
    alike: bool = False
    drop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_clusters is not None and self.num_clusters < 1:
            raise BadInput(f"--clusters: expected auto or at least 1, got {self.num_clusters}")
        if self.most < 2:
            raise BadInput(f"--most: expected at least 2, got {self.most}")
        if self.shift is not None and self.shift < 0:
            raise BadInput(f"--shift: expected at least 0, got {self.shift}")
        if self.seed < 0:
            raise BadInput(f"--seed: expected at least 0, got {self.seed}")


def clusters(path: Path, out: Path, asked: Asked) -> Report:
    """Cluster the records of a file, and write the folder `out` at once, when all is done.

    Args:
        path: A record file, such as a part of the split.
        out: A folder that does not exist yet, or is empty.
        asked: How.

    Raises:
        BadInput: names the file, the column or the option at fault; nothing is written then.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BadInput(f"{out}: expected a new or empty folder for the clusters, found something in its place")
    try:
        records = read_records(path, alike=asked.alike, drop=asked.drop)
        method, farthest = _method(records, asked)
        *seeds, draws = np.random.SeedSequence(asked.seed).generate_state(3).tolist()
        choice = _choose(records.points, asked, method=method, farthest=farthest, seed=seeds[0])
        num_clusters = asked.num_clusters if choice is None else choice.chosen
        assert num_clusters is not None
        found = fit(records.points, method=method, num_clusters=num_clusters, farthest=farthest, seed=seeds[1])
    except BadInput as error:
        raise BadInput(str(error) if str(error).startswith(f"{path}: ") else f"{path}: {error}") from error
    best = found.best
    assigned = best.assign(records.points)
    table = sizes(
        assigned.clusters.numpy(),
        assigned.distances.double().numpy(),
        records.known.codes,
        num_clusters=num_clusters,
        classes=records.known.classes,
    )
    measurements = _measure(records, assigned, num_clusters=num_clusters, rng=np.random.default_rng(draws))
    facts = {"method": method, **({"farthest_shift": farthest} if method == "shifts" else {}), **records.facts()}
    report = _report(found, measurements, table, facts, choice)
    with whole_folder(out) as folder:
        _write_assignments(folder / "assignments.parquet", records, best, assigned)
        table.to_csv(folder / "clusters.csv", index=False, float_format="%.6g", lineterminator="\n")
        records.write(folder, best, assigned, names=_names(table))
        draw_number(folder / "number.png", choice.curve if choice else (), taken=num_clusters)
        write_report(report, folder)
    _tell(records, report, table, out)
    return report


def _method(records: Records, asked: Asked) -> tuple[Method, int]:
    """The method, and the farthest shift."""
    method = asked.method or ("shifts" if isinstance(records, Series) else "kmeans")
    if isinstance(records, Table) and method not in {"kmeans", "mixture"}:
        raise BadInput(f"--method: expected kmeans or mixture for a table, got {method}")
    if asked.shift is not None and method != "shifts":
        raise BadInput(f"--shift: expected the method shifts, got {method}")
    width = records.points.shape[3]
    farthest = max(1, width // OF_LENGTH) if asked.shift is None else asked.shift
    if farthest >= width:
        raise BadInput(f"--shift: expected less than the length, {width}, got {farthest}")
    return method, farthest


def _choose(points: torch.Tensor, asked: Asked, *, method: Method, farthest: int, seed: int) -> Choice | None:
    if asked.num_clusters is not None:
        return None
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(points))[: max(TRIED_ON[method in SHIFTING], 3 * asked.most)]
    cluster = partial(quick, method=method, farthest=farthest)

    def fitter(some: torch.Tensor, num_clusters: int, seed: int) -> Clustering:
        return cluster(some, num_clusters=num_clusters, seed=seed)

    among = Range(least=2, most=asked.most, rounds=ROUNDS)
    choice = choose_number(points[torch.from_numpy(rows)], fitter=fitter, among=among, rng=rng)
    if choice.chosen is None:
        raise BadInput(
            f"expected clusters, found no number of them from 2 to {asked.most} that is more stable than in a cloud "
            f"without clusters (p = {choice.p_value:.2f}): state one, as in --clusters 4"
        )
    return choice


def _measure(
    records: Records, assigned: Assignment, *, num_clusters: int, rng: np.random.Generator
) -> tuple[Measurement, ...]:
    scores = agreement(
        assigned.clusters.numpy(),
        records.known.codes,
        num_clusters=num_clusters,
        num_classes=max(1, len(records.known.classes)),
        rng=rng,
    )
    count = Measurement(name="num_clusters", value=float(num_clusters), unit="count", n=len(records.points))
    return (*scores, count)


def _report(
    found: Fit, measurements: tuple[Measurement, ...], table: pd.DataFrame, facts: dict, choice: Choice | None
) -> Report:
    told = {
        **facts,
        "clusters": table.astype(object).where(table.notna(), None).to_dict("records"),
        "losses": found.losses.tolist(),
        "number": choice.as_json() if choice else None,
    }
    return Report(stage="clusters", measurements=measurements, headline=HEADLINE, facts=told, cost=found.cost)


def _write_assignments(path: Path, records: Records, best: Clustering, assigned: Assignment) -> None:
    columns = {
        "id": pa.array(list(records.known.ids), pa.string()),
        "cluster": assigned.clusters.numpy(),
        "distance": assigned.distances.double().numpy(),
    }
    if isinstance(records, Series):
        columns["shift"] = records.shifts(best, assigned)
    pq.write_table(pa.table(columns), path, compression="zstd")


def _names(table: pd.DataFrame) -> list[str]:
    known = table["class"].notna()
    words = np.where(known, " (" + table["class"].astype(str) + ")", "")
    rows = zip(table["cluster"], words, table["records"], strict=True)
    return [f"cluster {cluster}{word}\n{records} records" for cluster, word, records in rows]


def _tell(records: Records, report: Report, table: pd.DataFrame, out: Path) -> None:
    if isinstance(records, Table):
        for name, reason in records.encoded.left_out.items():
            print(f"left out column {name!r}: {reason}")
    listed = ", ".join(str(one) for one in table["records"])
    print(f"{len(records.points)} records by {report.facts['method']} in {len(table)} clusters of {listed}: {out}")
    if report["nmi"].value is not None:
        scores = [report[name] for name in ("accuracy", "nmi")]
        words = [f"{one.name} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in scores]
        print(f"against {report['nmi'].n} labels: {', '.join(words)}; by chance {report['chance_accuracy'].value:.3f}")


def _number(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal():
        raise BadInput(f"--clusters: expected auto or a number, got {text!r}")
    return int(text)


def main(
    *,
    records: Annotated[Path, typer.Argument(help="A record file, such as data/split/train.parquet.")],
    out: Annotated[Path, typer.Argument(help="A new folder for the clusters.")],
    clusters_: Annotated[str, typer.Option("--clusters", help="How many, or auto: the most stable number.")] = "auto",
    most: Annotated[int, typer.Option(help="The largest number that auto tries.")] = 10,
    method: Annotated[Kind | None, typer.Option(help="Shifts of series, else kmeans, if not given.")] = None,
    shift: Annotated[int | None, typer.Option(help="The farthest, in time steps; a tenth of the length.")] = None,
    alike: Annotated[bool, typer.Option("--alike", help="Each series by its own mean and deviation.")] = False,
    drop: Annotated[list[str] | None, typer.Option(help="A column of a table to leave out; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
) -> None:
    """Cluster records, and show what is typical of each cluster."""
    try:
        asked = Asked(
            num_clusters=_number(clusters_),
            most=most,
            method=None if method is None else method.value,
            shift=shift,
            alike=alike,
            drop=tuple(drop or ()),
            seed=seed,
        )
        clusters(records, out, asked)
    except (BadInput, OSError) as error:
        sys.exit(f"clusters: {error}")


if __name__ == "__main__":
    typer.run(main)
