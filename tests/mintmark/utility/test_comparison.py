"""Differences and verdicts, against outcomes whose truth is known."""

import numpy as np
import pytest

from mintmark.intervals import CrossedMean
from mintmark.utility.comparison import Advantage, accuracy, advantage, difference, judge, p_value, worst_class


def outcomes(rate: float, *, rng: np.random.Generator, num_records: int = 400) -> np.ndarray:
    return (rng.random((8, num_records)) < rate).astype(float)


def test_a_difference_is_paired_by_seed_and_record():
    """Arms that fail on the same records differ by less than arms that fail apart."""
    rng = np.random.default_rng(0)
    base = np.tile((rng.random(400) < 0.8).astype(float), (8, 1))
    better = base.copy()
    better[:, np.flatnonzero(base[0] == 0)[:20]] = 1.0
    found = difference(better, base)
    apart = difference(better, rng.permuted(base, axis=1))
    assert found.value == pytest.approx(20 / 400)
    assert found.high - found.low < (apart.high - apart.low) / 1.4
    assert accuracy(base).value == pytest.approx(base.mean())


def test_the_advantage_is_over_the_better_rival():
    rng = np.random.default_rng(1)
    candidate, real, augmented = (outcomes(rate, rng=rng) for rate in (0.9, 0.7, 0.8))
    found = advantage(candidate, {"real": real, "augmented": augmented}, best_rival="augmented", margin=0.0)
    against = difference(candidate, augmented)
    assert (found.value, found.low, found.high) == against[:3]
    assert judge(found, margin=0.0) == "helps"


def test_beating_one_rival_is_not_enough():
    rng = np.random.default_rng(2)
    candidate, real, augmented = (outcomes(rate, rng=rng) for rate in (0.8, 0.6, 0.8))
    found = advantage(candidate, {"real": real, "augmented": augmented}, best_rival="augmented", margin=0.0)
    assert judge(difference(candidate, real), margin=0.0) == "helps"
    assert judge(found, margin=0.0) == "no evidence"


def test_the_high_end_is_that_of_the_rival_named_beforehand():
    """Picking the rival that looks best on test would call harm too easily."""
    rng = np.random.default_rng(3)
    candidate, real, augmented = (outcomes(rate, rng=rng) for rate in (0.80, 0.80, 0.84))
    rivals = {"real": real, "augmented": augmented}
    found = advantage(candidate, rivals, best_rival="real", margin=0.0)
    assert found.high == difference(candidate, real).high
    assert found.value == min(difference(candidate, one).value for one in rivals.values())
    assert found.low == min(difference(candidate, one).low for one in rivals.values())
    assert found.low <= found.value <= found.high


def test_neither_verdict_is_given_too_often_when_nothing_differs():
    """Two rivals and two candidates alike, seeds that differ, finalists picked on validation by the same networks.

    With no margin each wrong verdict should come in at most 2.5% of contests: of 400 that is ten, and 22 is four standard
    deviations more.
    """
    rng = np.random.default_rng(4)
    verdicts = []
    for _ in range(400):
        difficulty = rng.normal(0, 1, 200)
        arms = [
            (rng.normal(2.4 + difficulty, 1.1, (8, 200)) + rng.normal(0, 0.6, (8, 1)) > 0).astype(float)
            for _ in range(4)
        ]
        scores, tests = [arm[:, :60].mean() for arm in arms], [arm[:, 60:] for arm in arms]
        candidate = tests[2] if scores[2] > scores[3] else tests[3]
        named = "real" if scores[0] > scores[1] else "augmented"
        found = advantage(candidate, {"real": tests[0], "augmented": tests[1]}, best_rival=named, margin=0.0)
        verdicts.append(judge(found, margin=0.0))
    assert verdicts.count("helps") <= 22
    assert verdicts.count("hurts") <= 22


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.006, 0.02, "helps"),
        (0.005, 0.02, "no evidence"),
        (-0.004, 0.004, "within margin"),
        (-0.005, 0.004, "no evidence"),
        (-0.004, 0.005, "no evidence"),
        (-0.02, 0.02, "no evidence"),
        (-0.02, -0.005, "no evidence"),
        (-0.02, -0.006, "hurts"),
    ],
)
def test_the_verdict_asks_the_whole_interval_to_lie_beyond_the_margin(low, high, verdict):
    middle = (low + high) / 2
    assert judge(CrossedMean(middle, low, high, 0.01, 7.0), margin=0.005) == verdict
    assert judge(Advantage(middle, low, high, 0.01, 0.5), margin=0.005) == verdict


def test_the_smallest_detectable_difference_is_the_worse_of_the_two_comparisons():
    rng = np.random.default_rng(5)
    candidate, calm = (np.tile(outcomes(0.9, rng=rng)[:1], (8, 1)) for _ in range(2))
    noisy = outcomes(0.5, rng=rng)
    both = advantage(candidate, {"real": calm, "augmented": noisy}, best_rival="real", margin=0.01)
    one = advantage(candidate, {"real": calm}, best_rival="real", margin=0.01)
    other = advantage(candidate, {"augmented": noisy}, best_rival="augmented", margin=0.01)
    assert both.smallest_detectable == max(one.smallest_detectable, other.smallest_detectable)


def test_a_p_value_is_small_just_where_the_interval_leaves_out_zero():
    rng = np.random.default_rng(6)
    for gap in (0.0, 0.02, 0.04, 0.06, 0.08):
        first, second = outcomes(0.8 + gap, rng=rng), outcomes(0.8, rng=rng)
        found = difference(first, second)
        assert (p_value(first, second) < 0.05) == (not found.low <= 0 <= found.high)
        assert p_value(first, second) == pytest.approx(p_value(second, first))


def test_the_advantage_s_p_value_is_that_of_the_harder_rival():
    rng = np.random.default_rng(7)
    candidate, real, augmented = (outcomes(rate, rng=rng) for rate in (0.86, 0.7, 0.8))
    rivals = {"real": real, "augmented": augmented}
    found = advantage(candidate, rivals, best_rival="augmented", margin=0.0)
    assert found.p_value == pytest.approx(p_value(candidate, augmented))
    assert found.p_value > p_value(candidate, real)
    worse = advantage(real, {"augmented": augmented}, best_rival="augmented", margin=0.0)
    assert worse.p_value == pytest.approx(p_value(real, augmented))


def test_the_worst_class_is_found():
    codes = np.array([0, 0, 2, 2])
    assert worst_class(np.array([[1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]), codes) == (2, 0.25)
