"""Baselines that PyOD has as well, on the same images: their ranks, and the processor's seconds to fit and score.

Each library's detector has its own defaults but for what has a counterpart in ours. PyOD's PCA weighs all components by
their variance, ours is the distance from the plane of the first ones; PyOD's machine sees pixels, ours sees principal
components. So this compares what a user gets, not two codes of one formula, but for nearest neighbours and the forest.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.anomaly import one_class
from bench.anomaly.detectors import NU
from bench.idx import read
from bench.peers import answer, install
from bench.reporting import Goal, at_least
from mintmark.intervals import auc, mean
from mintmark.progress import track

PINS = ("pyod==2.0.5", "numpy==2.2.6", "scikit-learn==1.6.1", "scipy==1.15.3")
COUNTERPARTS = {"nearest": "KNN", "pca_residual": "PCA", "one_class_svm": "OCSVM", "isolation_forest": "IForest"}
FULL = one_class.Size(num_normals=1000, num_classes=5, num_tested=1000, num_seeds=3)

THEIRS = """
import json, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.ocsvm import OCSVM
from pyod.models.pca import PCA
given, nu, seed = np.load(sys.argv[1]), float(sys.argv[3]), int(sys.argv[4])
models = {
    "KNN": KNN(n_neighbors=5, method="mean"),
    "PCA": PCA(random_state=seed),
    "OCSVM": OCSVM(nu=nu),
    "IForest": IForest(random_state=seed),
}
found, seconds = {}, {}
for name, model in models.items():
    begun = time.process_time()
    model.fit(given["fitted"])
    found[name] = model.decision_function(given["judged"])
    seconds[name] = time.process_time() - begun
np.savez(sys.argv[2], **found)
print(json.dumps(seconds))
"""


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """MNIST's first classes, one by one: mean AUROC over them, once a seed, and of the difference to the counterpart."""
    del workers  # seconds are measured, and each is one process's
    size = one_class.QUICK if quick else FULL
    train, test = read(data / "mnist", "train"), read(data / "mnist", "t10k")
    rows: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        python = install(Path(name) / "peer", PINS)
        jobs = [(seed, code) for seed in range(size.num_seeds) for code in range(size.num_classes)]
        for seed, code in track(jobs, "peers"):
            ours = one_class.judge(train, test, code=code, seed=seed, kinds=list(COUNTERPARTS), size=size, quick=quick)
            theirs = _theirs(one_class.draw(train, test, code=code, seed=seed, size=size), python, Path(name), seed)
            for kind, one in {**ours, **theirs}.items():
                rows.setdefault(kind, []).append((one[0], one[1]))
    shape = (size.num_seeds, size.num_classes)
    aurocs = {kind: np.array([one[0] for one in found]).reshape(shape) for kind, found in rows.items()}
    seconds = {kind: float(np.mean([one[1] for one in found])) for kind, found in rows.items()}
    table = {kind: {"auroc": float(found.mean()), "processor_seconds": seconds[kind]} for kind, found in aurocs.items()}
    return [_goal(mine, f"PyOD {theirs}", aurocs) for mine, theirs in COUNTERPARTS.items()], table


def _theirs(case: one_class.Case, python: Path, folder: Path, seed: int) -> dict[str, tuple[float, float]]:
    judged = np.concatenate([case.anomalies.flatten(1).numpy(), case.normals.flatten(1).numpy()])
    np.savez(folder / "given.npz", fitted=case.fitted.flatten(1).numpy(), judged=judged)
    took = answer(python, THEIRS, str(folder / "given.npz"), str(folder / "found.npz"), str(NU), str(seed))
    found, num = np.load(folder / "found.npz"), len(case.anomalies)
    return {f"PyOD {kind}": (auc(found[kind][:num], found[kind][num:]), seconds) for kind, seconds in took.items()}


def _goal(mine: str, theirs: str, aurocs: dict[str, np.ndarray]) -> Goal:
    """The mean difference over classes, with its interval over the seeds."""
    value, low, high = mean((aurocs[mine] - aurocs[theirs]).mean(axis=1))
    return at_least(0.0, f"{mine} less {theirs}, mean AUROC of classes", value, (low, high), unit="AUROC")
