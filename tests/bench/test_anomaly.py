"""The benchmark of detectors: its draws, its summary against hand-computed figures, and that it runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.anomaly import generators, one_class, wrong_labels
from bench.anomaly.one_class import Row, Size
from mintmark.data.images import ImageSet

ROOT = Path(__file__).parents[2]
SIZE = Size(num_normals=50, num_classes=2, num_tested=40, num_seeds=2)


def greys(num: int, *, first: int) -> ImageSet:
    """Record i is of one grey, `first` + i, and of class i modulo 2."""
    images = np.arange(first, first + num, dtype=np.uint8)[:, None, None, None].repeat(4, axis=1).repeat(4, axis=2)
    return ImageSet(ids=[f"r{row}" for row in range(num)], codes=np.arange(num) % 2, images=images, classes=("0", "1"))


def shown(images) -> list[int]:
    return ((images[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_a_draw_keeps_classes_and_parts_apart():
    case = one_class.draw(greys(140, first=0), greys(60, first=150), code=1, seed=0, size=SIZE)
    assert (len(case.fitted), len(case.held_out)) == (40, 10)
    assert len(set(shown(case.fitted) + shown(case.held_out))) == 50
    assert all(grey % 2 == 1 and grey < 140 for grey in shown(case.fitted) + shown(case.held_out))
    assert len(case.normals) + len(case.anomalies) == 40
    assert all(grey % 2 == 1 and grey >= 150 for grey in shown(case.normals))
    assert all(grey % 2 == 0 and grey >= 150 for grey in shown(case.anomalies))


def test_a_draw_follows_the_seed_and_the_test_images_do_not():
    first, again, other = (
        one_class.draw(greys(140, first=0), greys(60, first=150), code=1, seed=seed, size=SIZE) for seed in (0, 0, 1)
    )
    assert shown(first.fitted) == shown(again.fitted) != shown(other.fitted)
    assert shown(first.anomalies) == shown(other.anomalies)


def test_the_summary_is_the_one_counted_by_hand():
    """Means of .85 and .95 over the classes: .9, and 12.706 times the standard error .05 on each side, cut at 1."""
    rows = [Row(0.9, 1.0), Row(0.8, 2.0), Row(1.0, 3.0), Row(0.9, 4.0)]
    found = one_class.summary(rows, size=SIZE)
    assert found["auroc"] == pytest.approx(0.9)
    assert found["interval"] == pytest.approx([0.9 - 12.7062 * 0.05, 1.0], abs=1e-4)
    assert found["by_class"] == [0.95, 0.85]
    assert found["processor_seconds"] == 2.5


def test_one_seed_is_refused():
    with pytest.raises(ValueError, match="num_seeds must be at least 2, of which an interval can be known, got 1"):
        Size(num_normals=None, num_classes=10, num_tested=None, num_seeds=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, write_idx: Callable[[Path, np.ndarray], None]) -> Path:
    """Folders laid out as the published ones are; every class is a bright bar of its own, under noise."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("mnist", "fashion-mnist"):
        (root / name).mkdir()
        for part, num in (("train", 1500), ("t10k", 200)):
            codes = np.arange(num) % 10
            images = rng.integers(0, 80, (num, 12, 12))
            images[np.arange(num), codes] = 255
            write_idx(root / name / f"{part}-images-idx3-ubyte.gz", images)
            write_idx(root / name / f"{part}-labels-idx1-ubyte.gz", codes)
    return root


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.anomaly", *arguments, "--workers", "1"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.nightly
def test_the_case_ends_with_its_json_line(data: Path):
    done = run("--data", str(data), "--case", "one_class", "--quick")
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["bench"] == "anomaly"
    assert [one["goal"] for one in last["goals"]] == [0.975, 0.93]
    assert set(last["details"]["one_class"]["mnist"]) >= {"combination", "gradient_nearest", "memory", "pca_residual"}
    assert last["details"]["one_class"]["mnist"]["pca_residual"]["auroc"] > 0.95


@pytest.mark.nightly
def test_the_generators_are_judged_on_every_class(data: Path):
    done = run("--data", str(data), "--case", "generators", "--quick")
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert [one["goal"] for one in last["goals"]] == [0.93]
    found = last["details"]["generators"]["detectors"]
    assert set(found) == {"pca_residual", "fanogan", "anogan", "discriminator"}
    assert found["pca_residual"]["auroc"] > 0.9


def test_the_judged_images_are_as_many_normals_as_anomalies_and_the_same_every_time():
    foreign, own = generators.drawn(greys(100, first=50), code=1, num=20)
    assert all(grey % 2 == 0 for grey in shown(foreign))
    assert all(grey % 2 == 1 for grey in shown(own))
    assert [len(set(shown(some))) for some in (foreign, own)] == [20, 20]
    again, _ = generators.drawn(greys(100, first=50), code=1, num=20)
    assert shown(again) == shown(foreign)


def test_the_generators_mean_over_classes_is_the_one_counted_by_hand():
    """Two classes of AUROC 1 and 1/2; the second one's resamples lie evenly about it, half as far in the mean."""
    ranks = np.arange(40.0)
    scores = [{"anogan": (ranks + 40, ranks)}, {"anogan": (ranks, ranks)}]
    (goal,), details = generators.summary(scores, [{"anogan": 1.0}, {"anogan": 3.0}])
    assert goal.value == details["detectors"]["anogan"]["auroc"] == 0.75
    assert not goal.met
    error = np.sqrt((40 + 40 + 1) / (12 * 40 * 40)) / 2  # Mann and Whitney's
    assert goal.high - goal.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert details["processor_seconds"]["anogan"] == 2.0


def test_normalised_margins_are_those_counted_by_hand():
    """Self-confidence .7 and .6: each probability less its class's, then the other's less the given one's."""
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.4, 0.6]])
    found = wrong_labels.normalised_margins(probabilities, np.array([0, 0, 1]))
    assert found == pytest.approx([-0.5, -0.1, -0.3])


def test_wrong_labels_are_planted_in_images_on_which_no_method_was_chosen(monkeypatch: pytest.MonkeyPatch):
    train, seen = greys(200, first=0), []
    monkeypatch.setattr(wrong_labels, "voted", lambda images, *_, **__: seen.extend(shown(images)) or _beliefs(images))
    monkeypatch.setattr(wrong_labels, "out_of_fold", lambda images, *_, **__: _beliefs(images))
    size = wrong_labels.Size(80, 2, wrong_labels.QUICK.folds)
    found = wrong_labels.judge(train, seed=0, size=size)
    assert len(seen) == len(set(seen)) == 80
    assert min(seen) >= 100
    assert found["network"][0] == 1.0  # of one who believes the truth


def _beliefs(images: torch.Tensor) -> torch.Tensor:
    """The true class for sure: a grey's remainder."""
    codes = torch.tensor(shown(images)) % 2
    return torch.nn.functional.one_hot(codes, 2).float().clamp_min(1e-6).log()
