"""The Numenta Anomaly Benchmark's files: series as CSV with `timestamp,value`, windows as JSON of timestamps."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from mintmark.errors import BadInput
from mintmark.files import read_json
from mintmark.series.nab_scoring import Labels


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledSeries:
    """One series of the benchmark.

    Attributes:
        name: Its file, below the folder `data`.
        values: In the order of time.
        labels: Its anomaly windows.
    """

    name: str
    values: Float[np.ndarray, " rows"]
    labels: Labels


def read_corpus(folder: Path) -> list[LabelledSeries]:
    """Every series that `labels/combined_windows.json` names, in the order of names.

    Raises:
        BadInput: a file is missing or broken, or a window's end is no timestamp of its series.
    """
    path = folder / "labels" / "combined_windows.json"
    if not path.is_file():
        raise BadInput(f"{path}: expected the benchmark's windows, found no such file")
    return [_read(folder / "data" / name, name, windows) for name, windows in sorted(read_json(path).items())]


def _read(path: Path, name: str, windows: list[list[str]]) -> LabelledSeries:
    if not path.is_file():
        raise BadInput(f"{path}: expected a series, found no such file")
    table = pd.read_csv(path)
    if list(table.columns) != ["timestamp", "value"]:
        raise BadInput(f"{path}: expected the columns timestamp and value, got {', '.join(table.columns)}")
    try:
        stamps, values = pd.to_datetime(table["timestamp"]).dt.to_pydatetime(), table["value"].to_numpy(np.float64)
    except ValueError as error:
        raise BadInput(f"{path}: expected timestamps and numbers, {error}") from error
    if not np.isfinite(values).all():
        raise BadInput(f"{path}: expected finite values, row {int(np.flatnonzero(~np.isfinite(values))[0])} is none")
    rows = {stamp: row for row, stamp in reversed(list(enumerate(stamps)))}  # the first
    found = []
    for window in windows:
        ends = [rows.get(datetime.fromisoformat(end)) for end in window]
        if None in ends or len(ends) != 2:
            raise BadInput(f"{path}: expected a window's two ends among the timestamps, got {window}")
        found.append((ends[0], ends[1]))
    labels = Labels(num_rows=len(table), windows=tuple(found))
    return LabelledSeries(name=name, values=values, labels=labels)
