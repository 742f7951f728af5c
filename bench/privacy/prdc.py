"""Precision, recall, density and coverage: our blocked pass against the package prdc, each in a process of its own.

Same features, same k, same numbers; seconds of the computation alone, and the peak of the process's memory.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers import answer, install
from bench.reporting import Goal, at_least, at_most

ROOT = Path(__file__).resolve().parents[2]
PINS = ("prdc==0.2", "numpy==2.3.5", "scikit-learn==1.7.2", "scipy==1.17.1")
FEATURES, K = 64, 5
SIZE, LARGE, REPETITIONS = 20_000, 50_000, 3
QUICK_SIZE, QUICK_LARGE, QUICK_REPETITIONS = 500, 1_000, 1
MEASURES = ("precision", "recall", "density", "coverage")

MEASURE = """
import json, resource, sys, time
import numpy as np
real, fake = np.load(sys.argv[1]), np.load(sys.argv[2])
k = int(sys.argv[3])
{setup}
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in kibibytes
print(json.dumps(dict(seconds=seconds, peak=peak, **{{key: float(one) for key, one in found.items()}})))
"""
THEIRS = MEASURE.format(setup="from prdc import compute_prdc", work="found = compute_prdc(real, fake, k)")
OURS = MEASURE.format(
    setup="import torch\nfrom mintmark.fidelity.coverage import compare",
    work="""one = compare(torch.from_numpy(real), torch.from_numpy(fake), k=k)
found = dict(precision=one.precise.double().mean(), recall=one.recalled.double().mean(),
             density=one.density.double().mean(), coverage=one.covered.double().mean())""",
)


def measure(*, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """How much faster and smaller ours is, how far the numbers lie apart, and our memory on larger sets.

    One process at a time, whatever `workers` says: they would take each other's processors.
    """
    del workers
    size, large, repetitions = (QUICK_SIZE, QUICK_LARGE, QUICK_REPETITIONS) if quick else (SIZE, LARGE, REPETITIONS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer = install(folder / "peer", PINS)
        files = _features(folder, size)
        pairs = [
            (answer(sys.executable, OURS, *files, str(K), cwd=ROOT), answer(peer, THEIRS, *files, str(K)))
            for _ in range(repetitions)
        ]
        alone = answer(sys.executable, OURS, *_features(folder, large), str(K), cwd=ROOT)
    faster = [theirs["seconds"] / ours["seconds"] for ours, theirs in pairs]
    memory = [ours["peak"] / theirs["peak"] for ours, theirs in pairs]
    apart = [max(abs(ours[one] - theirs[one]) for one in MEASURES) for ours, theirs in pairs]
    ends = (min(faster), max(faster))
    goals = [
        at_least(3.0, "faster than prdc", statistics.median(faster), ends, unit="times"),
        at_most(0.1, "memory of prdc's", memory, unit="of it"),
        at_most(1e-4, "largest difference of a measure", apart, unit=""),
        at_most(2.0, f"peak memory at {large} records", [alone["peak"] / 1e9], unit="GB"),
    ]
    return goals, {"size": size, "large": large, "ours": pairs[0][0], "theirs": pairs[0][1]}


def _features(folder: Path, size: int) -> list[str]:
    """Files of as many real and synthetic features; the synthetic ones lie a little narrower."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{name}-{size}.npy" for name in ("real", "synthetic")]
    for path, spread in zip(paths, (1.0, 0.95), strict=True):
        np.save(path, (spread * rng.standard_normal((size, FEATURES))).astype(np.float32))
    return [str(path) for path in paths]
