"""Clusters of the training records up to transformations, what the release makes of them, and how real it looks.

In: `split/train.parquet`, `split/test.parquet` and `anonymise/release.parquet`. Out: the clusters as a model and as
pictures, every record's cluster, the training records by cluster and in their prototypes' frames as a data set of their
own (as private as `train`), the losses on the way, and a report. Fits on `train` alone; labels only score the
clusters, and train the network whose features are compared. The test records are what no model has seen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from mintmark.cluster import kmeans, self_labels, training
from mintmark.cluster.aligned import aligned
from mintmark.cluster.clustering import Assignment, Clustering, Fit
from mintmark.cluster.measurements import agreement, reach, resemblance, table
from mintmark.cluster.model import TransformedClusters, save_clusters
from mintmark.cluster.number import Choice, Range, choose_number
from mintmark.cluster.pictures import (
    Bar,
    Row,
    coverage_bars,
    draw_coverage,
    draw_number,
    draw_prototypes,
    prototype_rows,
)
from mintmark.cluster.self_labels import SelfLabelled, self_labelled
from mintmark.cluster.vote import Voted
from mintmark.data.images import ImageSet, read_images, to_unit, write_images
from mintmark.devices import DeviceName, pick_device
from mintmark.errors import BadInput
from mintmark.evidence import Measurement, Report, write_report
from mintmark.fidelity.comparison import Settings
from mintmark.fidelity.coverage import compare
from mintmark.fidelity.likeness import Placed, compare_spaces
from mintmark.fidelity.regions import Rules, judge
from mintmark.fidelity.spaces import Space, open_spaces
from mintmark.files import whole_file
from tasks.params import main

HEADLINE = (
    "dti_accuracy",
    "kmeans_accuracy",
    "coverage_min",
    "clusters_covered",
    "clusters_missed",
    "clusters_copied",
    "trained_frechet_distance",
    "trained_frechet_distance_floor",
    "trained_copying_score",
)
PARTS = {"train": "split/train.parquet", "test": "split/test.parquet", "release": "anonymise/release.parquet"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `cluster`.

    Attributes:
        seed: Of the starts, the batches, the halvings, the bootstraps, the features' network and the samples.
        threads: Threads of PyTorch.
        device: "auto" takes a GPU where there is one.
        num_clusters: How many; null for as many as there are classes; a range to choose by the stability of K-means.
        kmeans: How K-means is fitted.
        dti: How the clusters up to transformations are fitted.
        self_labels: How they teach networks, whose answers are the next clusters.
        regions: How the release is judged.
        fidelity: How its records are compared with real ones.
    """

    seed: int
    threads: int
    device: DeviceName
    num_clusters: int | Range | None
    kmeans: kmeans.Recipe
    dti: training.Recipe
    self_labels: self_labels.Recipe
    regions: Rules
    fidelity: Settings

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")
        if isinstance(self.num_clusters, int) and self.num_clusters < 1:
            raise ValueError(f"num_clusters must be null or at least 1, got {self.num_clusters}")


def run(params: Params, data_dir: Path) -> None:
    """Cluster `train`, assign the release, and write what `data/cluster/` holds."""
    torch.set_num_threads(params.threads)
    paths = {name: data_dir / path for name, path in PARTS.items()}
    parts = {name: read_images(path) for name, path in paths.items()}
    train, test, release = parts.values()
    _check(params, parts, paths)
    device = pick_device(params.device)
    images, released = (to_unit(part.images).to(device) for part in (train, release))
    *fit_seeds, seed, network_seed, draw_seed, choice_seed, labels_seed = (
        np.random.SeedSequence(params.seed).generate_state(7).tolist()
    )
    spaces = open_spaces(train, params.fidelity, seed=network_seed, device=device)  # first: files may be at fault
    try:
        choice = _choose(images, params, rng=np.random.default_rng(choice_seed))
        given = params.num_clusters if isinstance(params.num_clusters, int) else len(train.classes)
        fits = _fit(images, num_clusters=choice.required() if choice else given, params=params, seeds=fit_seeds)
        taught = self_labelled(fits["dti"], images, recipe=params.self_labels, seed=labels_seed)
    except BadInput as error:
        raise BadInput(f"{paths['train']}: {error}") from error
    fits["dti"], clusters = taught.fit, taught.fit.best
    found, placed = clusters.assign(images), clusters.assign(released)
    rng = np.random.default_rng(seed)
    judgement = judge(
        _pixels(train, device),
        found.clusters.cpu().numpy(),
        _pixels(release, device),
        placed.clusters.cpu().numpy(),
        num_regions=len(clusters.prototypes),
        rules=params.regions,
        rng=rng,
    )
    equal = [_pixels(part, device) for part in _equal_numbers(train, release, rng=rng)]
    fidelity = compare(*equal, k=params.regions.neighbours)
    fresh = clusters.assign(to_unit(test.images).to(device))
    likeness, of_spaces = compare_spaces(
        spaces,
        train=train.images,
        fresh=Placed(test.images, fresh.clusters.cpu().numpy()),
        released=Placed(release.images, placed.clusters.cpu().numpy()),
        settings=params.fidelity,
        rng=np.random.default_rng(draw_seed),
    )
    measurements = (
        *agreement(fits, train.codes, num_classes=len(train.classes), rng=rng),
        *reach(judgement),
        *resemblance(fidelity, judgement),
        *likeness,
    )
    rows = table(judgement, found.clusters.cpu().numpy(), train.codes, train.classes)
    folder = data_dir / "cluster"
    _save(folder, fits["dti"], rows)
    assigned = {"train": (train, found), "release": (release, placed), "test": (test, fresh)}
    _write_assignments(folder / "assignments.parquet", assigned, clusters)
    write_images(folder / "aligned.parquet", aligned(train, clusters, found))
    shown = prototype_rows(
        rows, clusters, fits["kmeans"].best, images=images, released=released, found=found, placed=placed
    )
    bars = coverage_bars(rows, judgement, clusters.prototypes)
    _draw(folder, shown, bars, params, choice=choice)
    write_report(_report(fits, measurements, rows, spaces, of_spaces, choice=choice, taught=taught), folder)


def _check(params: Params, parts: dict[str, ImageSet], paths: dict[str, Path]) -> None:
    train, neighbours = parts["train"], params.regions.neighbours
    if params.num_clusters is None and not train.classes:
        raise BadInput(f"{paths['train']}: expected classes or a number in num_clusters, found neither")
    for name in ("test", "release"):
        if parts[name].shape != train.shape:
            raise BadInput(f"{paths[name]}: expected images of shape {train.shape}, got {parts[name].shape}")
    if not len(parts["test"]):
        raise BadInput(f"{paths['test']}: expected at least 1 record, got none")
    # each half of the training records has so many neighbours
    for name, least in (("train", 2 * neighbours + 2), ("release", neighbours + 1)):
        if len(parts[name]) < least:
            raise BadInput(
                f"{paths[name]}: expected at least {least} records for {neighbours} neighbours, got {len(parts[name])}"
            )


def _choose(images: torch.Tensor, params: Params, *, rng: np.random.Generator) -> Choice | None:
    if not isinstance(params.num_clusters, Range):
        return None

    def fitter(some: torch.Tensor, num_clusters: int, seed: int) -> Clustering:
        return kmeans.fit(some, num_clusters=num_clusters, recipe=params.kmeans, seed=seed).best

    return choose_number(images, fitter=fitter, among=params.num_clusters, rng=rng)


def _fit(images: torch.Tensor, *, num_clusters: int, params: Params, seeds: list[int]) -> dict[str, Fit]:
    return {
        "kmeans": kmeans.fit(images, num_clusters=num_clusters, recipe=params.kmeans, seed=seeds[0]),
        "dti": training.fit(images, num_clusters=num_clusters, recipe=params.dti, seed=seeds[1]),
    }


def _equal_numbers(*parts: ImageSet, rng: np.random.Generator) -> list[ImageSet]:
    """As many records of each, drawn at random: the more records a set has, the narrower are its balls."""
    least = min(len(part) for part in parts)
    return [part.take(np.sort(rng.choice(len(part), least, replace=False))) for part in parts]


def _pixels(part: ImageSet, device: torch.device) -> torch.Tensor:
    """Bytes as float64, whose squared distances are whole numbers: ties are ties on every machine."""
    return torch.from_numpy(part.images.reshape(len(part), -1).astype(np.float64)).to(device)


def _report(
    fits: dict[str, Fit],
    measurements: tuple[Measurement, ...],
    rows: list[dict[str, Any]],
    spaces: list[Space],
    of_spaces: dict[str, Any],
    *,
    choice: Choice | None,
    taught: self_labels.Findings,
) -> Report:
    facts = {
        "clusters": rows,
        "missed": [row["cluster"] for row in rows if row["status"] == "missed"],
        "unsure": [row["cluster"] for row in rows if row["status"] == "unsure"],
        "copied": [row["cluster"] for row in rows if row["copied"]],
        "losses": {name: fit.losses.tolist() for name, fit in fits.items()},
        "loss": "mean squared difference per pixel, pixels from -1 to 1; clusters are those of the start of lowest loss",
        "distance": "coverage, recall, precision and density: Euclidean, on pixels",
        "numbers": "a cluster's coverage: by all released records; over all clusters: as many released as real ones",
        "fidelity": of_spaces,
        "number": choice.as_json() if choice else None,
    }
    if taught.rounds:
        facts["self_labels"] = taught.as_json()
    cost = {f"{name}_{what}": value for name, fit in fits.items() for what, value in fit.cost.items()}
    for space in spaces:
        cost |= space.cost
    return Report(stage="cluster", measurements=measurements, headline=HEADLINE, facts=facts, cost=cost)


def _save(folder: Path, fit: Fit, rows: list[dict[str, Any]]) -> None:
    """Write the prototypes as a model, and the losses. Who votes or answers is no part of the model."""
    clusters = fit.best.clustering if isinstance(fit.best, Voted | SelfLabelled) else fit.best
    assert isinstance(clusters, TransformedClusters)
    facts = {"records": [row["records"] for row in rows], "classes": [row["class"] for row in rows]}
    save_clusters(folder / "prototypes.safetensors", clusters, facts=facts)
    with whole_file(folder / "history.csv") as partial:
        pd.DataFrame(fit.history).to_csv(partial, index=False, float_format="%.6g")


def _draw(folder: Path, shown: list[Row], bars: list[Bar], params: Params, *, choice: Choice | None) -> None:
    draw_prototypes(folder / "prototypes.png", shown)
    draw_coverage(folder / "coverage.png", bars, covered_from=params.regions.covered_from)
    draw_number(folder / "number.png", choice.curve if choice else (), taken=len(bars))


def _write_assignments(path: Path, parts: dict[str, tuple[ImageSet, Assignment]], clusters: Clustering) -> None:
    """A row a record: its cluster up to transformations, and the one whose prototype as it is lies `nearest`."""
    plain = kmeans.KMeans(prototypes=clusters.prototypes)
    device = clusters.prototypes.device
    tables = [
        pa.table(
            {
                "id": pa.array(list(records.ids), pa.string()),
                "cluster": assignment.clusters.cpu().numpy(),
                "distance": assignment.distances.cpu().numpy(),
                "nearest": plain.assign(to_unit(records.images).to(device)).clusters.cpu().numpy(),
                "part": pa.array([part] * len(records), pa.string()),
            }
        )
        for part, (records, assignment) in parts.items()
    ]
    with whole_file(path) as partial:
        pq.write_table(pa.concat_tables(tables), partial, compression="zstd")


if __name__ == "__main__":
    main("cluster", Params, run)
