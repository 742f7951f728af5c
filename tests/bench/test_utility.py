"""Every case of the utility benchmark runs, with tiny recipes, and ends with its JSON line. What it finds then means nothing."""

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
    """Folders laid out as the published ones are, with a few random images."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("mnist", "fashion-mnist"):
        (root / name).mkdir()
        for part, num in (("train", 3000), ("t10k", 200)):
            write_idx(root / name / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (num, 28, 28)))
            write_idx(root / name / f"{part}-labels-idx1-ubyte.gz", np.arange(num) % 10)
    return root


@pytest.mark.nightly
@pytest.mark.parametrize(
    "case", ["known", "digits", "standalone", "step", "mnist", "fashion", "lesions", "standalone-mnist"]
)
def test_a_case_ends_with_its_json_line(case: str, data: Path):
    done = subprocess.run(
        [sys.executable, "-m", "bench.utility", "--case", case, "--quick", "--data", str(data), "--workers", "1"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["bench"] == "utility"
    assert set(last["details"]) == {"quick", case}
    assert last["details"][case]


@pytest.mark.nightly
def test_an_unknown_case_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "bench.utility", "--case", "weather"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "weather" in done.stderr
