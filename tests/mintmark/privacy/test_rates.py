"""Rates at frozen thresholds: by hand, their coverage, and what goes wrong without freezing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mintmark.intervals import proportion
from mintmark.privacy.rates import Rates, Scores, freeze, halves, measure, operating_point, order_of_threshold


def measured(scores: Scores, *, others: dict[str, Scores] | None = None, num_attacks: int = 1, resamples: int) -> Rates:
    """The rates of one attack, alone or among others on the same records."""
    together = {"one": scores, **(others or {})}
    return measure(
        together, num_families=1, num_attacks=num_attacks, fpr=0.01, low_fpr=0.001, seed=0, resamples=resamples
    )["one"]


@pytest.mark.parametrize(
    ("num", "fpr", "order"), [(98, 0.01, 0), (99, 0.01, 1), (198, 0.01, 1), (199, 0.01, 2), (269, 0.01, 2), (9, 0.1, 1)]
)
def test_the_order_of_the_threshold_is_the_largest_whose_expected_rate_is_allowed(num: int, fpr: float, order: int):
    assert order_of_threshold(num, fpr=fpr) == order


def test_a_rate_below_what_n_resolves_is_not_measured():
    assert freeze(np.arange(98.0), fpr=0.01) is None
    scores = Scores(np.zeros(10), np.arange(100.0))  # 50 of them calibrate
    assert operating_point(scores, calibrating=halves(100, seed=0), fpr=0.01) is None
    rates = measured(scores, resamples=50)
    assert rates.forward is rates.backward is rates.tpr_bound is None


def test_an_operating_point_by_hand():
    non_members = np.concatenate([np.arange(99.0), [98.5, 97.0, 200.0, 1.0]])  # the first 99 calibrate
    calibrating = np.arange(103) < 99
    members = np.array([98.0, 98.1, 500.0, -3.0])
    point = operating_point(Scores(members, non_members), calibrating=calibrating, fpr=0.01)
    assert point is not None
    assert point.tpr == proportion(2, 4)  # above 98, the largest of 99; a tie is no hit
    assert point.fpr == proportion(2, 4)


def test_halves_are_halves_and_the_same_for_every_attack():
    assert halves(539, seed=3).sum() == 269
    assert (halves(539, seed=3) == halves(539, seed=3)).all()
    assert (halves(539, seed=3) != halves(539, seed=4)).any()


def test_both_sides_count():
    """An attack that is right the other way round is as strong: the bounds agree, and the AUCs mirror each other."""
    rng = np.random.default_rng(0)
    scores = Scores(rng.normal(1.0, 1.0, 300), rng.normal(0.0, 1.0, 300))
    one, other = (measured(side, num_attacks=4, resamples=500) for side in (scores, scores.reversed()))
    assert one.auc.value == pytest.approx(1 - other.auc.value)
    assert one.auc_bound == pytest.approx(other.auc_bound, abs=0.01)
    assert one.tpr_bound == other.tpr_bound
    assert one.forward == other.backward


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 10))
def test_more_attacks_never_lower_a_bound(seed: int, some: int, further: int):
    rng = np.random.default_rng(seed)
    scores = Scores(rng.normal(0.2, 1.0, 60), rng.normal(size=250))
    others = {str(place): Scores(rng.normal(size=60), rng.normal(size=250)) for place in range(further)}
    few = measured(scores, num_attacks=some, resamples=400)
    many = measured(scores, others=others, num_attacks=some + further, resamples=400)
    assert few.auc_bound <= many.auc_bound
    assert few.tpr_bound is not None
    assert many.tpr_bound is not None
    assert few.tpr_bound <= many.tpr_bound


def test_bounds_on_aucs_hold_for_all_attacks_and_targets_together():
    """Three targets with four attacks each, two of them alike: all bounds hold in 95 audits of a hundred."""
    rng = np.random.default_rng(4)
    truth, held, repeats = stats.norm.cdf(0.3 / np.sqrt(2)), 0, 200
    for seed in range(repeats):
        sound = True
        for _ in range(3):
            base = rng.normal(size=(2, 150)) + np.array([[0.3], [0.0]])
            alike = base + rng.normal(0.0, 0.1, (2, 150))
            rest = rng.normal(size=(2, 2, 150)) + np.array([0.3, 0.0])[None, :, None]
            attacks = {str(place): Scores(*one) for place, one in enumerate([base, alike, *rest])}
            found = measure(attacks, num_families=3, num_attacks=12, fpr=0.01, low_fpr=0.001, seed=seed, resamples=400)
            sound &= all(one.auc_bound >= truth - 0.002 for one in found.values())
        held += sound
    assert held / repeats >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / repeats)


def test_attacks_that_agree_cost_less_than_attacks_that_differ():
    rng = np.random.default_rng(5)
    scores = Scores(rng.normal(0.2, 1.0, 200), rng.normal(size=200))
    alike = {str(place): scores for place in range(9)}
    others = {str(place): Scores(rng.normal(size=200), rng.normal(size=200)) for place in range(9)}
    alone, together, apart = (
        measured(scores, others=more, num_attacks=10, resamples=2000) for more in (None, alike, others)
    )
    assert together.auc_bound == alone.auc_bound
    assert apart.auc_bound > alone.auc_bound + 0.01


def test_the_frozen_intervals_cover_the_rates_of_their_threshold():
    """95% Clopper-Pearson intervals of TPR and FPR at a threshold frozen on other non-members cover at least 95%."""
    rng = np.random.default_rng(1)
    covered = np.zeros(2)
    repeats = 1500
    for _ in range(repeats):
        scores = Scores(rng.normal(0.5, 1.0, 300), rng.normal(size=400))
        calibrating = np.arange(400) < 200
        threshold = freeze(scores.non_members[calibrating], fpr=0.01)
        point = operating_point(scores, calibrating=calibrating, fpr=0.01)
        assert threshold is not None
        assert point is not None
        truth = stats.norm.sf(threshold - 0.5), stats.norm.sf(threshold)
        covered += [point.tpr.low <= truth[0] <= point.tpr.high, point.fpr.low <= truth[1] <= point.fpr.high]
    slack = 3 * np.sqrt(0.95 * 0.05 / repeats)
    assert (covered / repeats >= 0.95 - slack).all()


def test_an_exact_interval_at_a_threshold_chosen_on_the_same_records_does_not_cover():
    """What is not done here: take the threshold of the largest advantage, and state its rates on the same records."""
    rng = np.random.default_rng(2)
    covered, repeats = 0, 500
    for _ in range(repeats):
        members, others = rng.normal(size=100), rng.normal(size=100)
        thresholds = np.concatenate([members, others])
        hits = (members[None] > thresholds[:, None]).sum(axis=1)
        false = (others[None] > thresholds[:, None]).sum(axis=1)
        best = int((hits - false).argmax())
        found = proportion(int(hits[best]), 100)
        covered += found.low <= stats.norm.sf(thresholds[best]) <= found.high
    assert covered / repeats < 0.93


def test_a_true_positive_rate_at_an_empirical_one_percent_is_not_that_at_a_true_one_percent():
    """The interval speaks of the frozen threshold. As a claim about FPR 1%, which it is not, it would undercover."""
    rng = np.random.default_rng(3)
    truth = stats.norm.sf(stats.norm.isf(0.01) - 1.0)
    covered, repeats = 0, 500
    for _ in range(repeats):
        members, others = rng.normal(1.0, 1.0, 800), rng.normal(size=300)
        threshold = np.quantile(others, 0.99)
        found = proportion(int((members > threshold).sum()), 800)
        covered += found.low <= truth <= found.high
    assert covered / repeats < 0.80
