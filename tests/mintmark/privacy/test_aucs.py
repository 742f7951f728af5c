"""Intervals of AUCs: the analytic one against the bootstrap and the truth, and those of a family."""

import numpy as np
import pytest
from scipy import stats

from mintmark.intervals import auc_bootstrap
from mintmark.privacy.aucs import auc_delong, auc_family


@pytest.mark.parametrize(("shift", "level"), [(0.0, 0.95), (1.2, 0.95), (1.2, 0.999)])
def test_the_analytic_interval_of_an_auc_covers(shift: float, level: float):
    rng = np.random.default_rng(0)
    truth, rounds = stats.norm.cdf(shift / np.sqrt(2)), 800
    covered = 0
    for _ in range(rounds):
        found = auc_delong(rng.normal(shift, 1.0, 40), rng.normal(0.0, 1.0, 60), level=level)
        covered += found.low <= truth <= found.high
    assert covered / rounds > level - 3 * np.sqrt(level * (1 - level) / rounds)


def test_the_analytic_interval_agrees_with_the_bootstrap():
    rng = np.random.default_rng(1)
    positives, negatives = rng.normal(0.5, 1.0, 300), rng.normal(0.0, 1.0, 200)
    analytic = auc_delong(positives, negatives)
    resampled = auc_bootstrap(positives, negatives, rng=rng, resamples=4000)
    assert analytic == pytest.approx(resampled, abs=0.01)


def test_groups_that_separate_keep_an_open_analytic_interval():
    found = auc_delong(np.arange(10.0) + 100, np.arange(20.0))
    assert found.value == found.high == 1.0
    assert 0.5 < found.low < 0.95
    with pytest.raises(ValueError, match="two records"):
        auc_delong(np.ones(1), np.ones(5))


def test_a_family_of_one_is_a_plain_bootstrap():
    rng = np.random.default_rng(1)
    positives, negatives = rng.normal(0.5, 1.0, 100), rng.normal(0.0, 1.0, 80)
    found = auc_family(positives[None], negatives[None], rng=np.random.default_rng(0), resamples=500)
    assert found.each[0] == pytest.approx(
        auc_bootstrap(positives, negatives, rng=np.random.default_rng(0), resamples=500)
    )
    assert found.together[0] == pytest.approx(found.each[0], abs=0.02)


def test_a_family_knows_complete_separation_and_ties():
    positives, negatives = np.stack([np.arange(20.0) + 50, np.ones(20)]), np.stack([np.arange(20.0), np.ones(20)])
    found = auc_family(positives, negatives, rng=np.random.default_rng(0), resamples=100)
    assert found.each[0].value == found.together[0].high == 1.0
    assert found.together[0].low < found.each[0].low < 1.0
    assert found.each[1].value == 0.5
    assert found.together[1].low < 0.5 < found.together[1].high
