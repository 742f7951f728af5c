"""What the command `clusters` finds in series and tables, by each of its methods, over seeds.

Series are made: three forms of two bumps each, at random places and, the harder the case, at random speeds, of random
height and in more noise. The table is UCI's adult, whose income no clustering sees; nobody says that its clusters should
be incomes. A seed draws the records as well as the starts. Intervals are Student's over seeds.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from bench.reporting import Goal
from mintmark.cluster.columns import points_of
from mintmark.cluster.methods import Method, fit
from mintmark.cluster.scores import accuracy, contingency, nmi
from mintmark.data.records import Form
from mintmark.intervals import mean

SEEDS = (11, 12, 13, 14, 15)
RECORDS, LENGTH, NOISE = 240, 64, 0.05
FARTHEST = 12  # what series are shifted by, at most, in time steps, is 6 of them
CASES: dict[str, dict[str, float]] = {
    "places differ": {"speed": 0.0, "bend": 0.0, "gain": 0.0},
    "speeds differ": {"speed": 0.6, "bend": 0.0, "gain": 0.0},
    "speeds differ and vary": {"speed": 0.6, "bend": 0.4, "gain": 0.0},
    "speeds differ and vary, heights differ": {"speed": 0.6, "bend": 0.4, "gain": 0.4},
}
OF_SERIES: tuple[Method, ...] = ("kmeans", "mixture", "shifts", "warps")
OF_TABLES: tuple[Method, ...] = ("kmeans", "mixture")
ROWS, CLUSTERS = 5000, (2, 5, 10)


def series(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Accuracy on made series, by case and method."""
    del workers
    torch.set_num_threads(1)
    seeds, methods = (SEEDS[:2], OF_SERIES[:3]) if quick else (SEEDS, OF_SERIES)
    found: dict[str, Any] = {}
    for case, spread in CASES.items():
        drawn = [made(**spread, seed=seed) for seed in seeds]
        found[case] = {
            method: _over_seeds(
                [_scored(points, codes, 3, method, seed) for (points, codes), seed in zip(drawn, seeds, strict=True)]
            )
            for method in methods
        }
    return [], found


def tables(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Information that clusters of adult share with income, by method and number of clusters."""
    del workers
    torch.set_num_threads(1)
    table = pd.read_csv(data / "adult" / "adult.data", skipinitialspace=True, na_values=["?"])
    codes = pd.factorize(table.pop("Y"), sort=True)[0].astype(np.int64)
    types = {
        str(name): "int64" if pd.api.types.is_integer_dtype(kind) else "string" for name, kind in table.dtypes.items()
    }
    form = Form(kind="table", classes=(), columns=types)
    points = points_of(pa.Table.from_pandas(table, preserve_index=False), form, drop=()).points
    seeds, rows = (SEEDS[:2], 300) if quick else (SEEDS, ROWS)
    drawn = {seed: np.random.default_rng(seed).permutation(len(codes))[:rows] for seed in seeds}
    return [], {
        f"{method}, {num} clusters": _over_seeds(
            [_scored(points[torch.from_numpy(some)], codes[some], num, method, seed) for seed, some in drawn.items()]
        )
        for method in OF_TABLES
        for num in CLUSTERS
    }


def made(*, speed: float, bend: float, gain: float, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Standardised series (n, 1, 1, time), and which form each is.

    Args:
        speed: Logarithm of the largest factor by which a whole series runs faster or slower.
        bend: Standard deviation of the logarithm of its speed along the way, at five points.
        gain: Logarithm of the largest factor of its height.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    codes = np.arange(RECORDS) % len(FORMS)
    drawn = rng.normal(0, NOISE * (1 + (gain > 0)), (RECORDS, LENGTH))
    time, even = np.linspace(-0.5, 0.5, LENGTH), np.linspace(0, 1, 200)
    for row, code in enumerate(codes):
        length, place = 0.5 * np.exp(rng.uniform(-speed, speed)), rng.uniform(-0.1, 0.1)
        at = (time - place) / length + 0.5
        pace = np.exp(np.interp(even, np.linspace(0, 1, 5), rng.normal(0, bend, 5)))
        passed = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2)])
        form = FORMS[code](np.interp(at, even, passed / passed[-1])) * ((at > 0) & (at < 1))
        drawn[row] += form * np.exp(rng.uniform(-gain, gain))
    points = torch.from_numpy((drawn - drawn.mean()) / drawn.std()).float()
    return points[:, None, None], codes


def _bump(phase: np.ndarray, middle: float) -> np.ndarray:
    return np.exp(-(((phase - middle) / 0.07) ** 2) / 2)


FORMS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda phase: _bump(phase, 0.25) + 0.5 * _bump(phase, 0.75),
    lambda phase: 0.5 * _bump(phase, 0.25) + _bump(phase, 0.75),
    lambda phase: _bump(phase, 0.3) - 0.8 * _bump(phase, 0.65),
)


def _scored(points: torch.Tensor, codes: np.ndarray, num: int, method: Method, seed: int) -> Mapping[str, float]:
    found = fit(points, method=method, num_clusters=num, farthest=FARTHEST, seed=seed)
    clusters = found.best.assign(points).clusters.numpy()
    table = contingency(clusters, codes, num_clusters=num, num_classes=int(codes.max()) + 1)
    rng = np.random.default_rng(seed)
    return {"accuracy": accuracy(table).value, "nmi": nmi(clusters, codes, rng=rng).value}


def _over_seeds(scores: list[Mapping[str, float]]) -> dict[str, Any]:
    return {name: mean(np.array([one[name] for one in scores])) for name in scores[0]}
