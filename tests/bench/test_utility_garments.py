"""The two cases on Fashion-MNIST: their figures on answers known by hand, and that both run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.idx import rows_of_each
from bench.utility import fashion, lesions
from bench.utility.generators import synthesise
from mintmark.errors import BadInput

SHAPE = (12, 12)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, write_idx: Callable[[Path, np.ndarray], None]) -> Path:
    """A folder laid out as the published one is: every class is a bright bar of its own, under noise."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "fashion-mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, num in (("train", 1200), ("t10k", 100)):
        codes = np.arange(num) % 10
        images = rng.integers(0, 80, (num, *SHAPE))
        images[np.arange(num), codes] = 255
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", codes)
    return root


def test_a_part_is_read_with_its_labels(data: Path):
    found = fashion.garments(data, "t10k")
    assert found.shape == (*SHAPE, 1)
    assert (found.images[np.arange(100), found.codes] == 255).all()
    assert len(set(found.ids)) == 100


def test_a_missing_part_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte\.gz"):
        fashion.garments(tmp_path, "train")


def test_rows_are_drawn_by_class_and_without_repetition():
    codes = np.repeat([0, 1, 2], 10)
    rows = rows_of_each(codes, [3, 1, 2], np.random.default_rng(0))
    assert codes[rows].tolist() == [0, 0, 0, 1, 2, 2]
    assert len(set(rows.tolist())) == 6


def test_generated_images_are_of_every_class_and_follow_the_seed(data: Path):
    real = fashion.garments(data, "t10k")
    draws = [synthesise(real, recipe=fashion.GAN, steps=2, num=30, seed=seed) for seed in (0, 0, 1)]
    assert np.bincount(draws[0].codes).tolist() == [3] * 10
    assert (draws[0].images == draws[1].images).all()
    assert (draws[0].images != draws[2].images).any()


def test_the_study_has_its_counts_and_the_further_images_are_others(data: Path):
    few, further = lesions.draw(fashion.garments(data, "train"), num_further=60)
    assert np.bincount(few.codes).tolist() == [53, 64, 65]
    assert np.bincount(further.codes).tolist() == [20, 20, 20]
    assert not set(few.ids) & set(further.ids)
    bars = [fashion.CLASSES.index(name) for name in few.classes]
    assert (few.images[np.arange(len(few)), np.array(bars)[few.codes]] == 255).all()


def test_ratings_are_those_counted_by_hand():
    truth = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    answers = np.array([[0, 0, 0, 1, 1, 1, 2, 0], [0, 0, 1, 1, 1, 1, 2, 2]])
    found = {name: one.values.mean() for name, one in lesions.ratings(answers, truth, ("a", "b", "c")).items()}
    assert found["accuracy"] == pytest.approx((6 / 8 + 6 / 8) / 2)
    by_class = np.array([(3 / 4 + 2 / 4) / 2, 1.0, (1 / 2 + 1) / 2])
    others = np.array([(3 / 4 + 1) / 2, (5 / 6 + 4 / 6) / 2, 1.0])
    assert [found[f"sensitivity {name}"] for name in "abc"] == pytest.approx(by_class)
    assert [found[f"specificity {name}"] for name in "abc"] == pytest.approx(others)
    assert found["sensitivity"] == pytest.approx(by_class.mean())
    assert found["specificity"] == pytest.approx(others.mean())


def test_no_value_of_a_rating_is_beyond_its_highest():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [2, 5, 9])
    answers = np.concatenate([truth[None], (truth[None] + 1) % 3, rng.integers(0, 3, (20, len(truth)))])
    for name, one in lesions.ratings(answers, truth, ("a", "b", "c")).items():
        assert one.values.min() >= 0, name
        assert one.values.max() <= one.highest + 1e-12, name


def test_the_interval_over_folds_covers_where_folds_share_training_images():
    """A model in which test and training images' luck are as correlated as Nadeau and Bengio suppose: 1/3."""
    rng = np.random.default_rng(0)
    folds = [np.arange(0, 10), np.arange(10, 20), np.arange(20, 30)]
    covered = []
    for _ in range(2000):
        shared, own = rng.normal() * (1 / 3) ** 0.5, rng.normal(size=3) * (2 / 3) ** 0.5
        values = np.repeat(shared + own, 10)[None]
        low, high = lesions.over_folds(values, folds)
        covered.append(low <= 0 <= high)
    assert 0.93 <= np.mean(covered) <= 0.97
