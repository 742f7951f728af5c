"""Ranks and rests by hand."""

import numpy as np
import pytest
from scipy.stats import kstest

from mintmark.errors import BadInput
from mintmark.series.conformal import one_alarm_an_event, ranked


def test_a_rank_is_the_share_of_the_scores_before_that_lie_below():
    scores = np.array([1.0, 2.0, 3.0, 2.0, 2.0, 9.0])
    assert ranked(scores, window=3).tolist() == pytest.approx([0.0, 0.0, 0.0, 1 / 3, 0.0, 1.0])


def test_scores_of_one_kind_are_ranked_uniformly():
    """One in 50, so that the ranks do not hang together."""
    scores = np.random.default_rng(0).normal(size=20_000) ** 3
    assert kstest(ranked(scores, window=200)[200::50], "uniform").pvalue > 0.05


def test_what_follows_an_alarm_is_held_and_what_follows_the_rest_is_not():
    scores = np.array([0.1, 1.0, 0.2, 1.0, 0.3, 1.0, 0.4])
    held = one_alarm_an_event(scores, alarm=0.9, rest=3)
    assert held.tolist() == [0.1, 1.0, 0.5, 0.5, 0.5, 1.0, 0.5]


def test_no_rest_changes_nothing():
    scores = np.random.default_rng(0).random(50)
    np.testing.assert_array_equal(one_alarm_an_event(scores, alarm=0.6, rest=0), scores)


def test_parameters_out_of_range_are_refused():
    with pytest.raises(BadInput, match="expected at least 1 row, got 0"):
        ranked(np.zeros(5), window=0)
    for alarm, rest in [(0.5, 3), (1.1, 3), (0.9, -1)]:
        with pytest.raises(BadInput, match="alarm and rest"):
            one_alarm_an_event(np.zeros(5), alarm=alarm, rest=rest)
