"""Whole, coloured and moved MNIST run through prototypes and rounds, with tiny recipes. What they find then means nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.cluster import sets


@pytest.fixture
def data(tmp_path: Path, write_idx: Callable[[Path, np.ndarray], None]) -> Path:
    """A folder with 60 random images to train by and 40 others."""
    rng = np.random.default_rng(0)
    (tmp_path / "mnist").mkdir()
    for part, count in {"train": 60, "t10k": 40}.items():
        write_idx(tmp_path / "mnist" / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (count, 28, 28)))
        write_idx(tmp_path / "mnist" / f"{part}-labels-idx1-ubyte.gz", np.arange(count) % 10)
    return tmp_path


@pytest.mark.nightly
@pytest.mark.parametrize(("measure", "records"), [(sets.whole, 100), (sets.colour, 40), (sets.affine, 40)])
def test_every_round_of_every_seed_is_scored(data: Path, measure: Callable, records: int):
    goals, found = measure(data, quick=True, workers=1)
    assert json.loads(json.dumps(found, allow_nan=False))["records"] == records
    by_round = np.array([[one["accuracy"] for one in seed["rounds"]] for seed in found["seeds"]])
    assert by_round.shape == (2, 5)  # seeds; before, and after each of four
    assert by_round.min() >= 0.1
    assert by_round.max() < 0.6  # of random images
    assert [one[0] for one in found["accuracy"]] == pytest.approx(by_round.mean(axis=0))
    losses = [seed["loss"] for seed in found["seeds"]]
    of_mean, of_lowest = goals
    assert of_mean.value == pytest.approx(by_round[:, -1].mean())
    assert of_lowest.value == by_round[int(np.argmin(losses)), -1]
    assert 0.1 <= found["kmeans"]["accuracy"] < 0.6
