"""Intervals against numbers worked out by hand, SciPy, and their promise of coverage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from mintmark.intervals import (
    CrossedMean,
    auc,
    auc_bootstrap,
    auc_difference_bootstrap,
    crossed_mean,
    holm,
    mean,
    proportion,
    smallest_detectable,
)

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


def test_a_proportion_has_the_exact_interval():
    """With no success in n trials the upper end solves (1 - p)^n = 0.025."""
    assert proportion(0, 20) == pytest.approx((0.0, 0.0, 1 - 0.025 ** (1 / 20)))
    low, high = stats.binomtest(7, 30).proportion_ci(method="exact")
    assert proportion(7, 30) == pytest.approx((7 / 30, low, high))
    with pytest.raises(ValueError, match="got 5 of 4"):
        proportion(5, 4)


def test_a_mean_has_student_s_interval():
    """Mean 2, standard error 1 / sqrt 3, t at two degrees 4.3027."""
    assert mean(np.array([1.0, 2.0, 3.0])) == pytest.approx((2.0, 2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), abs=1e-4)
    with pytest.raises(ValueError, match="at least two"):
        mean(np.array([1.0]))


def test_holm_corrects_step_by_step():
    """Sorted p of .01, .02, .04 count three, two and one times, and never fall: .03, .04, .04."""
    assert holm(np.array([0.04, 0.01, 0.02])) == pytest.approx([0.04, 0.03, 0.04])


def test_a_crossed_mean_agrees_with_a_hand_computed_table():
    """Values [1 0 | 0 1] and [1 1 | 0 1], the last two columns being the pseudo-records of 0 and 1.

    Grand mean 5/8. Seed means 1/2 and 3/4: MS = 4 (1/64 + 1/64) / 1 = 1/8. Record means 1, 1/2, 0, 1:
    MS = 2 (9/64 + 1/64 + 25/64 + 9/64) / 3 = 11/24. Total sum of squares 15/8, so the residual is
    15/8 - 1/8 - 11/8 = 3/8 over 3: MS = 1/8. Variance (1/8 + 11/24 - 1/8) / 8 = 11/192. Degrees of freedom
    (11/24)^2 / ((1/8)^2 / 1 + (1/3)^2 / 3).
    """
    found = crossed_mean(np.array([[1.0, 0.0], [1.0, 1.0]]), lowest=0.0, highest=1.0)
    degrees = (11 / 24) ** 2 / (1 / 64 + 1 / 27)
    half = stats.t.ppf(0.975, degrees) * (11 / 192) ** 0.5
    assert found.value == 0.75
    assert found.error == pytest.approx((11 / 192) ** 0.5)
    assert found.degrees == pytest.approx(degrees)
    assert (found.low, found.high) == pytest.approx((max(0.0, 0.625 - half), min(1.0, 0.625 + half)))
    narrow = crossed_mean(np.array([[1.0, 0.0], [1.0, 1.0]]), lowest=0.0, highest=1.0, level=0.2)
    half = stats.t.ppf(0.6, degrees) * (11 / 192) ** 0.5
    assert narrow.low == pytest.approx(0.625 - half)
    assert narrow.high == pytest.approx(max(0.625 + half, 0.75))  # an interval holds its own value


def test_a_crossed_mean_takes_its_mean_squares_from_the_two_way_table():
    """The reference is statsmodels' analysis of variance of the same table, pseudo-records included."""
    values = np.random.default_rng(0).random((5, 12))
    padded = np.concatenate([values, np.tile([0.0, 1.0], (5, 1))], axis=1)
    seeds, records = np.meshgrid(range(5), range(14), indexing="ij")
    frame = pd.DataFrame({"value": padded.ravel(), "seed": seeds.ravel(), "record": records.ravel()})
    table = anova_lm(ols("value ~ C(seed) + C(record)", frame).fit())
    squares = table["sum_sq"] / table["df"]
    parts = squares["C(seed)"] + max(squares["C(record)"] - squares["Residual"], 0.0)
    assert crossed_mean(values, lowest=0.0, highest=1.0).error == pytest.approx(np.sqrt(parts / padded.size))


def test_a_crossed_mean_never_claims_certainty():
    """The two pseudo-records alone: variance 2 / (541 - 1) / 541, though every difference is nought."""
    found = crossed_mean(np.zeros((8, 539)), lowest=-1.0, highest=1.0)
    half = stats.t.ppf(0.975, 540) * np.sqrt(2 / 540 / 541)
    assert found[:3] == pytest.approx((0.0, -half, half))


@pytest.mark.parametrize(("seed_spread", "record_spread"), [(0.0, 2.0), (0.4, 2.0), (0.5, 0.2)])
def test_a_crossed_mean_covers_the_truth_as_often_as_it_promises(seed_spread: float, record_spread: float):
    """Two arms of 8 trainings judge 200 records that differ in difficulty: 95% of 400 intervals, within 4 sigma."""
    rng = np.random.default_rng(1)
    gap, total = 0.3, np.sqrt(1 + seed_spread**2 + 1.25 * record_spread**2)
    truth = stats.norm.cdf((1.5 + gap) / total) - stats.norm.cdf(1.5 / total)

    def arm(difficulty: np.ndarray, skill: float) -> np.ndarray:
        own = difficulty + rng.normal(0, record_spread / 2, 200)
        trained = skill + rng.normal(0, seed_spread, (8, 1))
        return (rng.normal(size=(8, 200)) + trained + own > 0).astype(float)

    hits = 0
    for _ in range(400):
        difficulty = rng.normal(0, record_spread, 200)
        found = crossed_mean(arm(difficulty, 1.5 + gap) - arm(difficulty, 1.5), lowest=-1.0, highest=1.0)
        hits += found.low <= truth <= found.high
    assert 0.905 <= hits / 400 <= 0.99


def test_a_bootstrap_over_four_seeds_would_cover_too_little():
    """Why the crossed mean is no percentile bootstrap: where seeds differ most, that one claims too much."""
    rng = np.random.default_rng(2)
    covered = np.zeros(2)
    for _ in range(400):
        values = np.clip(rng.normal(0, 0.1, (4, 1)) + rng.normal(0, 0.05, (4, 30)), -1, 1)
        resampled = values.mean(axis=1)[rng.integers(0, 4, (400, 4))].mean(axis=1)
        low, high = np.quantile(resampled, [0.025, 0.975])
        found = crossed_mean(values, lowest=-1.0, highest=1.0)
        covered += [found.low <= 0 <= found.high, low <= 0 <= high]
    assert 0.92 <= covered[0] / 400 <= 0.99
    assert covered[1] / 400 <= 0.90


def test_the_smallest_detectable_mean_is_margin_and_two_quantiles():
    """With many degrees of freedom the quantiles are the normal's: 1.960 + 0.842."""
    found = CrossedMean(value=0.0, low=-1.0, high=1.0, error=0.01, degrees=1e9)
    assert smallest_detectable(found, margin=0.005) == pytest.approx(0.005 + 0.01 * 2.8016, abs=1e-5)


def test_the_smallest_detectable_mean_is_detected_four_times_in_five():
    rng = np.random.default_rng(3)
    margin = 0.02

    def draw(true: float) -> CrossedMean:
        values = true + rng.normal(0, 0.02, (8, 1)) + rng.normal(0, 0.2, (1, 400)) + rng.normal(0, 0.1, (8, 400))
        return crossed_mean(values, lowest=-2.0, highest=2.0)

    size = np.mean([smallest_detectable(draw(0.0), margin=margin) for _ in range(50)])
    seen = np.mean([draw(float(size)).low > margin for _ in range(400)])
    assert 0.72 <= seen <= 0.88


@pytest.mark.parametrize("values", [np.zeros((1, 5)), np.zeros((3, 0)), np.full((2, 3), 1.5)])
def test_a_crossed_mean_refuses_what_it_cannot_measure(values: np.ndarray):
    with pytest.raises(ValueError, match="values must"):
        crossed_mean(values, lowest=0.0, highest=1.0)


def test_the_interval_stays_open_where_seeds_agree_by_chance_and_records_hardly_differ():
    found = crossed_mean(np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]), lowest=-1.0, highest=1.0)
    assert found.value == 0.0
    assert found.degrees > 0
    assert found.low < -0.1
    assert found.high > 0.1
