"""Intervals against numbers worked out by hand, SciPy, and their promise of coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mintmark.intervals import auc, auc_bootstrap, auc_difference_bootstrap

SCORES = st.lists(st.integers(0, 5), min_size=1, max_size=12)


def test_auc_counts_a_tie_as_half_a_win():
    assert auc(np.array([2.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx((1 + 1 + 0.5 + 1) / 4)


@given(positives=SCORES, negatives=SCORES)
def test_auc_agrees_with_mann_whitney(positives: list[int], negatives: list[int]):
    wins = stats.mannwhitneyu(positives, negatives).statistic
    scores = np.array(positives, float), np.array(negatives, float)
    assert auc(*scores) == pytest.approx(wins / (len(positives) * len(negatives)))


def test_the_bootstrap_of_an_auc_agrees_with_scipy_s():
    rng = np.random.default_rng(0)
    positives, negatives = rng.normal(1.0, 1.0, 60).round(1), rng.normal(0.0, 1.0, 90).round(1)  # rounded: ties
    found = auc_bootstrap(positives, negatives, rng=np.random.default_rng(1), resamples=4000)
    expected = stats.bootstrap(
        (positives, negatives),
        auc,
        vectorized=False,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert found.value == auc(positives, negatives)
    assert found.low == pytest.approx(expected.low, abs=0.005)
    assert found.high == pytest.approx(expected.high, abs=0.005)


def test_the_bootstrap_of_an_auc_does_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    positives, negatives = rng.normal(0.5, 1.0, 40), rng.normal(0.0, 1.0, 40)
    whole = auc_bootstrap(positives, negatives, rng=np.random.default_rng(1), resamples=2000)
    monkeypatch.setattr("mintmark.intervals.BLOCK_ELEMENTS", 800)
    blocked = auc_bootstrap(positives, negatives, rng=np.random.default_rng(1), resamples=2000)
    assert blocked.low == pytest.approx(whole.low, abs=0.01)
    assert blocked.high == pytest.approx(whole.high, abs=0.01)


def test_an_auc_of_one_is_not_certain():
    """Five disjoint pairs that all came out right bound the AUC by 0.025 ** (1 / 5) = 0.478."""
    found = auc_bootstrap(np.arange(5.0) + 10, np.arange(8.0), rng=np.random.default_rng(0))
    assert found == pytest.approx((1.0, 0.4782, 1.0), abs=1e-4)
    mirrored = auc_bootstrap(np.arange(8.0), np.arange(5.0) + 10, rng=np.random.default_rng(0))
    assert mirrored == pytest.approx((0.0, 0.0, 1 - 0.4782), abs=1e-4)


def test_the_paired_difference_of_a_score_with_itself_is_exactly_nought():
    rng = np.random.default_rng(0)
    positives, negatives = rng.normal(1.0, 1.0, 30), rng.normal(0.0, 1.0, 30)
    found = auc_difference_bootstrap(
        np.stack([positives, positives]), np.stack([negatives, negatives]), rng=np.random.default_rng(1)
    )
    assert found == (0.0, 0.0, 0.0)


def test_the_paired_difference_is_narrower_than_two_separate_intervals():
    """Two scores that share most of their noise differ surely, though each alone is uncertain."""
    rng = np.random.default_rng(0)
    positives, negatives = rng.normal(1.0, 1.0, 80), rng.normal(0.0, 1.0, 80)
    worse = positives + rng.normal(-0.5, 0.2, 80), negatives + rng.normal(0.0, 0.2, 80)
    found = auc_difference_bootstrap(
        np.stack([positives, worse[0]]), np.stack([negatives, worse[1]]), rng=np.random.default_rng(1)
    )
    alone = auc_bootstrap(positives, negatives, rng=np.random.default_rng(1))
    assert found.value == pytest.approx(alone.value - auc(*worse))
    assert 0.0 < found.low < found.value < found.high
    assert found.high - found.low < 0.8 * (alone.high - alone.low)


def test_the_interval_of_an_auc_covers_the_truth():
    """P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2); 163 to 197 of 200 intervals at 90% should hold it (4 sigma)."""
    truth, rng = stats.norm.cdf(1 / np.sqrt(2)), np.random.default_rng(0)
    held = 0
    for _ in range(200):
        found = auc_bootstrap(rng.normal(1, 1, 50), rng.normal(0, 1, 50), rng=rng, level=0.9, resamples=500)
        held += found.low <= truth <= found.high
    assert 163 <= held <= 197
