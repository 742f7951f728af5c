"""Every case of the privacy benchmark runs, with tiny numbers, and ends with its JSON line. What it finds then means nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, write_idx: Callable[[Path, np.ndarray], None]) -> Path:
    """A folder laid out as the published one is, with a few random images."""
    root = tmp_path_factory.mktemp("data")
    (root / "fashion-mnist").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (1000, 28, 28))
    write_idx(root / "fashion-mnist" / "train-images-idx3-ubyte.gz", images)
    write_idx(root / "fashion-mnist" / "train-labels-idx1-ubyte.gz", np.arange(1000) % 10)
    return root


@pytest.mark.nightly
@pytest.mark.parametrize(
    "case", ["coverage", "known", "classifier", "generators", "filter", "mutations", "prdc", "stacks"]
)
def test_a_case_ends_with_its_json_line(case: str, data: Path):
    done = subprocess.run(
        [sys.executable, "-m", "bench.privacy", "--data", str(data), "--case", case, "--quick", "--workers", "1"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["bench"] == "privacy"
    assert found["goals"] or case == "filter"
    assert case in found["details"]
