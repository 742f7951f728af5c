"""The benchmark on a small corpus in the published layout: it runs, ends with its JSON line, and keeps its known facts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.anomaly_nab import STANDARD, interval, rested
from mintmark.series.nab_scoring import Labels

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three noisy waves of 900 rows, each with a burst in its only window."""
    root = tmp_path_factory.mktemp("data")
    (root / "nab" / "labels").mkdir(parents=True)
    (root / "nab" / "data" / "some").mkdir(parents=True)
    stamps = pd.date_range("2020-01-01", periods=900, freq="5min")
    windows = {}
    for number in range(3):
        rng = np.random.default_rng(number)
        values = np.sin(np.arange(900) / 8) + 0.1 * rng.normal(size=900)
        values[600:610] += 3.0
        name = f"some/{number}.csv"
        pd.DataFrame({"timestamp": stamps, "value": values}).to_csv(root / "nab" / "data" / name, index=False)
        windows[name] = [[str(stamps[590]), str(stamps[640])]]
    (root / "nab" / "labels" / "combined_windows.json").write_text(json.dumps(windows), encoding="utf-8")
    return root


def test_it_ends_with_its_json_line(data: Path):
    words = [sys.executable, "-m", "bench.anomaly_nab", "--data", str(data), "--quick", "--workers", "1"]
    done = subprocess.run(
        words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == "anomaly_nab"
    assert len(told["goals"]) == 4
    detectors = told["details"]["detectors"]
    assert detectors["null"]["standard"] == detectors["null, rested"]["standard"] == 0.0
    assert detectors["long_memory, rested"]["standard"] > 50.0
    assert all(0.0 <= one["average_precision"] <= 1.0 for one in detectors.values())


def test_equal_series_leave_no_doubt_and_unequal_ones_some():
    labels = [Labels(num_rows=100, windows=((40, 49),))] * 10
    assert interval(np.full(10, 0.5), labels) == pytest.approx((75.0, 75.0))
    low, high = interval(np.array([STANDARD.true_positive, -STANDARD.false_negative] * 5), labels)
    assert low < 25.0
    assert high > 75.0


def test_a_rested_detector_alarms_once_an_event():
    scores = np.zeros(1000)
    scores[[*range(700, 720), 740]] = 1.0 + np.arange(21)
    assert np.flatnonzero(rested(scores, name="any") == 1.0).tolist() == [700, 740]  # a rest takes 30 rows
