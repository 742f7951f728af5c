"""The distance to the closest mixed record: our blocked pass against SDMetrics, each in a process of its own.

Census records, dealt into training, held-out and "synthetic" ones, a part of which copy training records. Both give
SDMetrics' score for overfitting, which calls ties safe; it must be the same.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.peers import answer, install
from bench.reporting import Goal, at_least, at_most

ROOT = Path(__file__).resolve().parents[2]
PINS = ("sdmetrics==0.32.0", "pandas==2.3.3", "numpy==2.4.6")
NUMBERS = ("0", "2", "4", "10", "11", "12")  # age, weight, years of education, gain, loss, hours
SIZE, QUICK_SIZE, REPETITIONS = 5000, 200, 3
COPIED = 0.4  # of the "synthetic" records, so that the score is none that everything gets

THEIRS = """
import json, sys, time
import pandas as pd
from sdmetrics.single_table import DCROverfittingProtection
train, held_out, made = (pd.read_csv(path, dtype={name: str for name in sys.argv[4].split(",")}) for path in sys.argv[1:4])
categories = set(sys.argv[4].split(","))
columns = {name: {"sdtype": "categorical" if name in categories else "numerical"} for name in train}
metadata = {"tables": {"census": {"columns": columns}}}
start = time.perf_counter()
score = DCROverfittingProtection.compute(train, made, held_out, metadata, 'census')
print(json.dumps({"seconds": time.perf_counter() - start, "score": float(score)}))
"""
OURS = """
import json, sys, time
import numpy as np
import pandas as pd
import torch
from mintmark.fidelity.mixed import MixedRecords, compare_closest
names = sys.argv[4].split(",")
tables = [pd.read_csv(path, dtype={name: str for name in names}) for path in sys.argv[1:4]]
torch.set_num_threads(1)
start = time.perf_counter()
codes = {name: pd.factorize(pd.concat([table[name] for table in tables]))[0] for name in names}
cuts = np.cumsum([len(table) for table in tables])[:-1]
categories = np.split(np.stack([codes[name] for name in names], axis=1).astype(np.int64), cuts)
train, held_out, made = (
    MixedRecords(table.drop(columns=names).to_numpy(float), one) for table, one in zip(tables, categories)
)
found = compare_closest(made, train, held_out)
print(json.dumps({"seconds": time.perf_counter() - start, "score": min(2 * (1 - found.first), 1.0)}))
"""


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """How much faster ours is, and how far the scores lie apart. One process at a time, whatever `workers` says."""
    del workers
    size = QUICK_SIZE if quick else SIZE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, categories = _tables(data / "adult" / "adult.data", folder, size)
        peer = install(folder / "peer", PINS)
        arguments = (*files, ",".join(categories))
        ours = [answer(sys.executable, OURS, *arguments, cwd=ROOT) for _ in range(REPETITIONS)]
        theirs = answer(peer, THEIRS, *arguments)
    faster = [theirs["seconds"] / one["seconds"] for one in ours]
    apart = [abs(theirs["score"] - one["score"]) for one in ours]
    return [
        at_least(250.0, "faster than SDMetrics", statistics.median(faster), (min(faster), max(faster)), unit="times"),
        at_most(1e-9, "difference of the scores", apart, unit=""),
    ], {"size": size, "score": theirs["score"]}


def _tables(path: Path, folder: Path, size: int) -> tuple[list[str], list[str]]:
    """Three tables as CSV, and the names of the columns of categories."""
    table = pd.read_csv(path, header=None, skipinitialspace=True, dtype=str).dropna()
    table.columns = [str(name) for name in table.columns]
    rows = np.random.default_rng(0).permutation(len(table))
    parts = dict(zip(("train", "held_out", "made"), np.split(rows[: 3 * size], 3), strict=True))
    num_copied = round(COPIED * size)
    parts["made"][:num_copied] = parts["train"][:num_copied]
    files = [str(folder / f"{name}.csv") for name in parts]
    for file, part in zip(files, parts.values(), strict=True):
        table.iloc[part].to_csv(file, index=False)
    return files, [name for name in table.columns if name not in NUMBERS]
