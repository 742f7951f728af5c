"""The benchmark of clusters runs, with tiny recipes, and ends with its JSON line. What it finds then means nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.cluster", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def data(tmp_path: Path, write_idx: Callable[[Path, np.ndarray], None]) -> Path:
    """A folder with 200 random images."""
    rng = np.random.default_rng(0)
    (tmp_path / "mnist").mkdir()
    write_idx(tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz", rng.integers(0, 256, (200, 28, 28)))
    write_idx(tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz", np.arange(200) % 10)
    return tmp_path


@pytest.mark.nightly
def test_mnist_ends_with_its_json_line(data: Path):
    done = run("--case", "mnist", "--quick", "--data", str(data))
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["bench"] == "cluster"
    assert {"kmeans", "mixture", "affine"} < set(last["details"]["mnist"]["methods"])
    for method in last["details"]["mnist"]["methods"].values():
        assert 0.1 <= method["accuracy"][0] < 0.6  # of random images


@pytest.mark.nightly
def test_the_published_design_ends_with_its_json_line(data: Path):
    done = run("--case", "published", "--quick", "--data", str(data))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])["details"]["published"]["published"]
    assert [number for number, _, _ in found["points"]] == [2, 4]
    assert not found["reached"]  # of random images


@pytest.mark.nightly
def test_an_unknown_case_is_named(tmp_path: Path):
    done = run("--case", "weather", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "weather" in done.stderr


@pytest.mark.nightly
def test_every_seed_and_every_part_left_out_is_reported(data: Path):
    done = run("--case", "seeds", "--case", "ablations", "--quick", "--data", str(data))
    assert done.returncode == 0, done.stderr
    details = json.loads(done.stdout.splitlines()[-1])["details"]
    found = details["seeds"]
    by_seed = [one["accuracy"][0] for one in found["seeds"]]
    assert len(by_seed) == 2
    assert found["accuracy"][0] == pytest.approx(np.mean(by_seed))
    losses = [min(one["loss_by_start"]) for one in found["seeds"]]
    assert found["lowest_loss"]["seed"] == found["seeds"][int(np.argmin(losses))]["seed"]
    assert len({part["seeds"][0]["loss_by_start"][0] for part in details["ablations"].values()}) > 1


@pytest.mark.nightly
def test_every_round_of_self_labelling_is_scored(data: Path):
    done = run("--case", "self_labels", "--quick", "--data", str(data))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])["details"]["self_labels"]["seeds"]
    assert len(found) == 2
    for one in found:
        by_round, signs = one["accuracy_by_round"], one["self_labels"]
        assert 1 <= len(by_round) == len(signs["moved"]) <= 4
        assert one["accuracy"] == [one["before"], *by_round][signs["rounds"]]  # of the last one that was not refused
        assert all(0.1 <= rate < 0.6 for rate in by_round)  # of random images


@pytest.mark.nightly
def test_features_are_clustered_beside_pixels(data: Path, write_idx: Callable[[Path, np.ndarray], None]):
    coarse = np.random.default_rng(1).integers(0, 256, (200, 7, 7))  # of fine noise no network tells one from another
    write_idx(data / "mnist" / "t10k-images-idx3-ubyte.gz", coarse.repeat(4, axis=1).repeat(4, axis=2))
    done = run("--case", "features", "--quick", "--data", str(data))
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    by_way = last["details"]["features"]["found"]["mnist"]
    assert {"pixels, K-means", "discriminator, mixture", "clusters up to transformations"} <= set(by_way)
    for found in by_way.values():
        value, low, high = found["accuracy"]
        by_seed = list(found["by_seed"].values())
        assert len(by_seed) == 2
        assert value == pytest.approx(np.mean(by_seed))
        assert low <= min(by_seed)
        assert high >= max(by_seed)
        assert all(0.1 <= one < 0.6 for one in by_seed)  # of random images
    (goal,) = last["goals"]
    assert [goal["value"], goal["low"], goal["high"]] == by_way["clusters up to transformations"]["accuracy"]


@pytest.mark.nightly
def test_garments_are_told_by_vote_beside_kmeans(data: Path):
    (data / "mnist").rename(data / "fashion-mnist")
    done = run("--case", "garments", "--quick", "--data", str(data))
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    found = last["details"]["garments"]
    assert [one["seed"] for one in found["seeds"]] == [21, 22]
    assert all(0.1 <= one["accuracy"][0] < 0.6 for one in found["seeds"])  # of random images
    losses = {one["seed"]: one["loss"] for one in found["seeds"]}
    assert losses[21] != losses[22]
    assert found["lowest_loss"] == min(losses, key=lambda seed: losses[seed])
    means = [np.mean([one["accuracy"][0] for one in found["seeds"]]), np.mean(found["kmeans"]["seeds"])]
    assert [last["goals"][0]["value"], found["kmeans"]["accuracy"][0]] == pytest.approx(means)


@pytest.mark.nightly
def test_growth_is_told_for_every_size(data: Path):
    done = run("--case", "growth", "--quick", "--data", str(data))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])["details"]["growth"]
    assert len(found) == 5
    assert all(second > 0 for one in found.values() for second in one["seconds"])


@pytest.mark.nightly
def test_an_epoch_of_both_designs_is_timed_in_processes_of_their_own():
    done = run("--case", "epoch", "--quick")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout.splitlines()[-1])["details"]["epoch"]["rounds"]
    assert told["published"]["bytes"] > told["ours"]["bytes"] > 0


@pytest.mark.nightly
def test_series_and_tables_end_with_their_json_line(tmp_path: Path):
    (tmp_path / "adult").mkdir()
    rows = [f"{20 + row % 50}, {('a', 'b', '?')[row % 3]}, {('<=50K', '>50K')[row % 2]}" for row in range(400)]
    (tmp_path / "adult" / "adult.data").write_text("\n".join(["age, work, Y", *rows]))
    done = run("--case", "series", "--case", "tables", "--quick", "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    details = json.loads(done.stdout.splitlines()[-1])["details"]
    assert details["series"]["places differ"]["shifts"]["accuracy"][0] > 0.9
    assert details["tables"]["kmeans, 5 clusters"]["nmi"][0] < 0.2  # income goes by rows
