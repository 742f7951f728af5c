"""The conformal threshold: hand-counted ranks, and its promise on fresh normals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mintmark.anomaly.threshold import alarms, calibrate, least_normals, p_values, resolves, spread
from mintmark.errors import BadInput


@pytest.mark.parametrize(
    ("num", "rate", "rank"),
    [(19, 0.05, 19), (20, 0.05, 20), (39, 0.05, 38), (99, 0.10, 90), (100, 0.10, 91), (9, 0.5, 5), (199, 0.01, 198)],
)
def test_the_threshold_is_the_score_of_the_right_rank(num: int, rate: float, rank: int):
    """ceil((n + 1)(1 - rate)), of the scores 1 to n in any order."""
    scores = torch.from_numpy(np.random.default_rng(0).permutation(num) + 1.0).float()
    assert calibrate(scores, false_alarm_rate=rate) == rank


@given(num=st.integers(1, 400), rate=st.floats(0.01, 0.99))
def test_one_of_the_calibrated_scores_and_a_fresh_one_exceeds_it_at_most_at_the_rate(num: int, rate: float):
    """Of n + 1 exchangeable scores the fresh one is each rank with chance 1 / (n + 1)."""
    scores = torch.arange(float(num))
    if (num + 1) * rate < 1 - 1e-9:
        with pytest.raises(BadInput):
            calibrate(scores, false_alarm_rate=rate)
        return
    threshold = calibrate(scores, false_alarm_rate=rate)
    exceeding_ranks = (
        num - threshold
    )  # a fresh score above the k-th of n has one of n + 1 - k places; k = threshold + 1
    assert exceeding_ranks / (num + 1) <= rate + 1e-9
    assert (exceeding_ranks + 1) / (num + 1) > rate - 1e-9  # and no lower threshold would do


def test_fresh_normals_raise_alarms_at_the_asked_rate_on_average_and_within_the_spread():
    """400 draws of 99 calibration and 200 fresh normals at 10%: the mean's standard error is 0.0018."""
    rng = np.random.default_rng(0)
    rates, exact = [], []
    for _ in range(400):
        threshold = calibrate(torch.from_numpy(rng.exponential(size=99)).float(), false_alarm_rate=0.1)
        fresh = torch.from_numpy(rng.exponential(size=200)).float()
        rates.append(alarms(fresh, threshold=threshold).float().mean().item())
        exact.append(np.exp(-threshold))
    assert np.mean(rates) == pytest.approx(0.1, abs=0.007)
    low, high = spread(99, false_alarm_rate=0.1, level=0.9)
    assert np.mean((np.array(exact) >= low) & (np.array(exact) <= high)) == pytest.approx(0.9, abs=0.06)


def test_the_spread_with_the_fewest_normals_is_that_of_their_maximum():
    """The largest of 19 leaves a rate above it of which P(rate > r) = (1 - r) ** 19."""
    expected = (1 - 0.975 ** (1 / 19), 1 - 0.025 ** (1 / 19))
    assert spread(19, false_alarm_rate=0.05, level=0.95) == pytest.approx(expected)


def test_a_score_at_the_threshold_raises_no_alarm():
    assert alarms(torch.tensor([0.9, 1.0, 1.1]), threshold=1.0).tolist() == [False, False, True]


def test_p_values_count_the_calibration_scores_at_least_as_large():
    """(1 + count) / (n + 1) with n = 4; a tie counts."""
    found = p_values(torch.tensor([0.0, 1.0, 2.5, 3.0, 9.0]), calibration=torch.tensor([3.0, 1.0, 2.0, 3.0]))
    assert found.tolist() == pytest.approx([5 / 5, 5 / 5, 3 / 5, 3 / 5, 1 / 5])


@given(
    scores=st.lists(st.integers(0, 30), min_size=1, max_size=20),
    calibration=st.lists(st.integers(0, 30), min_size=1, max_size=200),
    rate=st.sampled_from([0.01, 0.05, 0.1, 0.25, 0.5]),
)
def test_an_alarm_is_a_p_value_of_at_most_the_rate(scores: list[int], calibration: list[int], rate: float):
    judged, normals = torch.tensor(scores).float(), torch.tensor(calibration).float()
    small = p_values(judged, calibration=normals) <= rate + 1e-9
    if resolves(len(normals), false_alarm_rate=rate):
        assert torch.equal(alarms(judged, threshold=calibrate(normals, false_alarm_rate=rate)), small)
    else:
        assert not small.any()


def shares_of_small_p_values(drawn: np.ndarray) -> dict[float, float]:
    """Of each row the first is fresh and the others calibrate: how many p-values are at most each rate."""
    found = torch.cat([p_values(row[:1], calibration=row[1:]) for row in torch.from_numpy(drawn)])
    return {rate: (found <= rate + 1e-9).double().mean().item() for rate in (0.05, 0.1, 0.25, 0.5, 0.75)}


def test_p_values_of_fresh_normals_are_at_most_any_rate_with_just_that_chance():
    """4,000 draws of 19 calibration normals and one fresh one; a share's standard error is at most 0.008."""
    for rate, share in shares_of_small_p_values(np.random.default_rng(0).exponential(size=(4000, 20))).items():
        assert share == pytest.approx(rate, abs=0.025)


def test_with_ties_that_chance_is_at_most_the_rate():
    drawn = np.floor(2 * np.random.default_rng(0).exponential(size=(4000, 20)))
    for rate, share in shares_of_small_p_values(drawn).items():
        assert share <= rate + 0.025


@pytest.mark.parametrize(("rate", "least"), [(0.05, 19), (0.01, 99), (0.5, 1), (0.03, 33)])
def test_a_rate_takes_so_many_normals(rate: float, least: int):
    assert least_normals(rate) == least
    assert resolves(least, false_alarm_rate=rate)
    assert not resolves(least - 1, false_alarm_rate=rate)


def test_too_few_normals_for_the_rate_are_refused_with_the_least_number():
    with pytest.raises(BadInput, match=r"at least 19 normals for a false-alarm rate of 0\.05, got 18"):
        calibrate(torch.zeros(18), false_alarm_rate=0.05)
    with pytest.raises(ValueError, match="num_calibration must be at least 19, got 18"):
        spread(18, false_alarm_rate=0.05, level=0.95)
