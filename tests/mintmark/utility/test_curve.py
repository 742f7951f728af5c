"""The learning curve: what its points train on, and what a worth read off it says and refuses to say."""

from dataclasses import replace

import numpy as np
import pytest

from mintmark.classify.augmentation import PLAIN, Augmentation
from mintmark.classify.training import Recipe
from mintmark.utility.arms import Material
from mintmark.utility.curve import curve_fits, curve_sets, worth

RECIPE = Recipe(
    steps=10, batch_size=8, learning_rate=0.01, weight_decay=0.0, width=4, augmentation=Augmentation(flip=1.0)
)
SIZES = (100, 200, 400, 800, 1000)


@pytest.fixture
def material(toy_images) -> Material:
    return Material(toy_images(num=30), toy_images(num=9, seed=1), toy_images(num=60, seed=2))


def test_smaller_sets_are_parts_of_larger_ones_and_hold_every_class(material):
    quarter, half, beyond = curve_sets(material, fractions=[0.2, 0.5], rng=np.random.default_rng(0))
    assert (len(quarter), len(half), len(beyond)) == (6, 15, 39)
    assert set(quarter.ids) < set(half.ids) < set(material.train.ids) < set(beyond.ids)
    assert set(beyond.ids) == {*material.train.ids, *material.validation.ids}
    assert np.bincount(quarter.codes).tolist() == [2, 2, 2]


def test_shares_too_small_to_differ_make_one_point(material):
    sets = curve_sets(material, fractions=[0.01, 0.02, 0.999], rng=np.random.default_rng(0))
    assert [len(one) for one in sets] == [3, 39]


def test_every_point_has_a_fit_a_seed_with_the_arms_budget_and_no_augmentation(material):
    fits = curve_fits(material, fractions=[0.5], seeds=[4, 5], recipe=RECIPE)
    assert {size: [one.seed for one in same] for size, same in fits.items()} == {15: [4, 5], 39: [4, 5]}
    assert all(one.recipe == replace(RECIPE, augmentation=PLAIN) for same in fits.values() for one in same)
    first, second = fits[15]
    assert not np.array_equal(first.images, second.images)  # records of its own
    again = curve_fits(material, fractions=[0.5], seeds=[4, 5], recipe=RECIPE)
    assert np.array_equal(first.images, again[15][0].images)


def accuracy_at(size: float, *, slope: float) -> float:
    """A power law, 0.8 at 1,000 records."""
    return 0.8 + slope * (1000**-0.5 - size**-0.5)


def answers(rate: float, difficulty: np.ndarray, rng: np.random.Generator, num_seeds: int) -> np.ndarray:
    """Right answers of networks that mostly fail on the same records, a little apart in skill."""
    skill = rate + rng.normal(0, 0.005, (num_seeds, 1))
    return (difficulty + rng.normal(0, 0.03, (num_seeds, len(difficulty))) < skill).astype(float)


def placed(size: float, *, slope: float = 4.0, num_records: int = 2000, seed: int = 0):
    rng = np.random.default_rng(seed)
    difficulty = rng.random(num_records)
    curve = {one: answers(accuracy_at(one, slope=slope), difficulty, rng, 4) for one in SIZES}
    return worth(answers(accuracy_at(size, slope=slope), difficulty, rng, 8), curve)


def test_the_worth_of_an_arm_is_read_off_where_it_meets_the_curve():
    found = placed(300)
    assert found.reading == "read"
    assert found.records == pytest.approx(300, rel=0.2)
    assert found.low is not None
    assert found.high is not None
    assert found.records is not None
    assert found.low < found.records < found.high


def test_the_interval_of_a_worth_holds_the_truth_as_often_as_it_promises():
    """In 200 draws 95% are 190; 180 are three standard deviations fewer. An end beyond the sizes bounds nothing."""
    held = 0
    for seed in range(200):
        found = placed(300, num_records=600, seed=seed)
        held += (found.low or 0) <= 300 <= (found.high or np.inf)
    assert held >= 180


def test_a_worth_beyond_the_sizes_is_said_and_not_guessed():
    above, below = placed(8000), placed(40)
    assert (above.reading, above.records, above.high) == ("above", None, None)
    assert above.low == 1000
    assert (below.reading, below.records, below.low) == ("below", None, None)
    assert below.high == 100


def test_a_flat_curve_places_nothing():
    found = placed(300, slope=0.05, num_records=300)
    assert (found.reading, found.records, found.low, found.high) == ("flat", None, None, None)


def test_one_size_is_no_curve():
    with pytest.raises(ValueError, match="at least two sizes"):
        worth(np.ones((3, 5)), {100: np.ones((3, 5))})
