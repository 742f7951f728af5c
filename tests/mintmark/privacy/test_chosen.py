"""The attack that an attacker would choose: by hand, and honest where nothing leaks."""

import numpy as np
import pytest
from scipy.stats import norm

from mintmark.privacy.chosen import Choice, advantage, choose, chosen_measurements, first_halves, set_accuracy
from mintmark.privacy.rates import Scores


def test_the_largest_advantage_is_chosen_with_its_side_and_threshold():
    high = Scores(np.array([1.0, 5.0, 6.0, 7.0]), np.array([2.0, 3.0, 4.0, 8.0]))  # above 4: 3/4 against 1/4
    low = Scores(np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 6.0, 7.0, 8.0]))  # below 5: all against none
    assert choose({"high": high}) == Choice("high", 1.0, 4.0)
    assert choose({"high": high, "low": low}) == Choice("low", -1.0, -5.0)


def test_advantage_by_hand():
    scores = Scores(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.0, 3.5, 0.0]))
    found = advantage(scores, Choice("a", 1.0, 2.5), level=0.95)
    assert found.value == pytest.approx(0.5 - 0.25)
    assert found.low < 0.25 < found.high


def test_sets_are_told_apart_as_often_as_drawn_sets_are():
    rng = np.random.default_rng(0)
    scores = Scores(rng.normal(0.2, 1.0, 4000), rng.normal(0.0, 1.0, 4000))
    found = set_accuracy(scores, Choice("a", 1.0, 0.0), size=20, level=0.95)
    ranks = np.concatenate(scores).argsort().argsort()
    drawn = [rng.choice(part, (4000, 20)).sum(axis=1) for part in (ranks[:4000], ranks[4000:])]
    assert found.value == pytest.approx((drawn[0] > drawn[1]).mean(), abs=0.02)
    assert found.value == pytest.approx(norm.cdf(0.2 * np.sqrt(20) / np.sqrt(2)), abs=0.05)
    assert found.low < found.value < found.high


def test_a_reversed_attack_is_asked_reversed():
    rng = np.random.default_rng(0)
    scores = Scores(rng.normal(-1.0, 1.0, 300), rng.normal(0.0, 1.0, 300))
    assert set_accuracy(scores, Choice("a", -1.0, 0.0), size=10, level=0.95).value > 0.95


def test_scores_that_are_all_alike_tell_nothing():
    assert set_accuracy(Scores(np.ones(5), np.ones(5)), Choice("a", 1.0, 0.0), size=3, level=0.95) == (0.5, 0.5, 0.5)


def test_choosing_on_the_records_that_are_reported_would_flatter_and_this_does_not():
    rng = np.random.default_rng(1)
    covered, flattered = 0, 0
    for seed in range(200):
        attacks = {name: Scores(rng.normal(size=60), rng.normal(size=60)) for name in "abcdefgh"}
        (found, _), choice = chosen_measurements("samples", attacks, seed=seed, control="c")[0], choose(attacks)
        assert found.low is not None
        covered += found.low <= 0.0
        flattered += advantage(attacks[choice.attack], choice, level=0.95).low > 0.0
    assert covered >= 188  # 195 expected, less three standard errors
    assert flattered > 100


def test_halves_are_halves_and_differ_by_seed():
    one, other = first_halves(10, 7, seed=0), first_halves(10, 7, seed=1)
    assert [int(mask.sum()) for mask in one] == [5, 3]
    assert (one[0] != other[0]).any()
