"""Heat maps of larger pictures: does the odd tile of a mosaic stand out, and is it the hottest place?

A good picture is a mosaic of images of one class, 3 to 5 a side. A faulty one has one tile of another class. What is
measured is the AUROC of faulty against fresh good pictures, and the share of faulty ones whose hottest place lies in the
odd tile, by the settings of `make heatmaps` but for a patch of half a tile. The kind that is chosen never sees a faulty
picture. Student's interval over seeds, of which each draws other images. No goal is set.
"""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.idx import read
from bench.reporting import Goal
from mintmark.anomaly.heatmaps import CHOICES, choose, fit
from mintmark.anomaly.patches import Patching
from mintmark.data.images import ImageSet
from mintmark.fan_out import fan_out
from mintmark.intervals import auc, mean
from mintmark.progress import track

DATA_SETS = {"mnist": 0, "fashion-mnist": 1}  # with the class that is good
LEAST, MOST = 3, 6
PATCHING = Patching(side=14, stride=7)
FIGURES = ("auroc", "hottest place in the odd tile")


class Size(NamedTuple):
    """Pictures learnt from, and of each kind judged; seeds."""

    good: int
    judged: int
    seeds: int


FULL, QUICK = Size(20, 40, 5), Size(4, 4, 2)


class Mosaic(NamedTuple):
    """A picture, and which pixels are of the odd tile."""

    picture: np.ndarray
    odd: np.ndarray


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Each kind, and the one chosen, on both data sets."""
    size = QUICK if quick else FULL
    details: dict[str, Any] = {}
    for name, code in DATA_SETS.items():
        train = read(data / name, "train")
        jobs = [partial(judge, train, code=code, seed=seed, size=size) for seed in range(size.seeds)]
        found = list(track(fan_out(jobs, workers=workers), name, total=len(jobs)))
        details[name] = {
            kind: {figure: mean(np.array([one[kind][place] for one in found])) for place, figure in enumerate(FIGURES)}
            for kind in found[0]
        }
    return [], details


def judge(train: ImageSet, *, code: int, seed: int, size: Size) -> dict[str, tuple[float, float]]:
    """Each kind's AUROC, and how often the hottest place lies in the odd tile."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    good = [mosaic(train, code=code, odd=False, rng=rng).picture for _ in range(size.good)]
    fresh, faulty = ([mosaic(train, code=code, odd=odd, rng=rng) for _ in range(size.judged)] for odd in (False, True))
    rows = {}
    for kind in CHOICES:
        mapper = fit(good, kind=kind, patching=PATCHING, seed=seed)
        of_fresh = np.array([mapper.heat(one.picture).score for one in fresh])
        heats = [mapper.heat(one.picture) for one in faulty]
        placed = [one.odd.ravel()[heat.map.argmax()] for one, heat in zip(faulty, heats, strict=True)]
        rows[kind] = (auc(np.array([heat.score for heat in heats]), of_fresh), float(np.mean(placed)))
    chosen, _ = choose(good, patching=PATCHING, kinds=CHOICES, seed=seed)
    tiles = np.mean([28 * 28 / one.odd.size for one in faulty])
    return rows | {"chosen": rows[chosen], "chance": (0.5, float(tiles))}


def mosaic(train: ImageSet, *, code: int, odd: bool, rng: np.random.Generator) -> Mosaic:
    """Tiles of one class, one of which may be of another."""
    rows, columns = rng.integers(LEAST, MOST, 2)
    tiles = train.images[rng.choice(np.flatnonzero(train.codes == code), rows * columns), :, :, 0]
    marked = np.zeros((rows, columns), bool)
    if odd:
        place = int(rng.integers(rows * columns))
        tiles[place] = train.images[rng.choice(np.flatnonzero(train.codes != code)), :, :, 0]
        marked.ravel()[place] = True
    height, width = tiles.shape[1:]
    joined = tiles.reshape(rows, columns, height, width).transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    return Mosaic(joined[:, :, None], np.kron(marked, np.ones((height, width), bool)))
