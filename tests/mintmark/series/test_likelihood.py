"""The likelihood against a slow reading of the paper's equations."""

import numpy as np
import pytest
from scipy.stats import norm

from mintmark.errors import BadInput
from mintmark.series.likelihood import surprise


def test_the_surprise_is_what_the_equations_say():
    scores = np.random.default_rng(0).random(60)
    expected = []
    for end in range(1, 61):
        usual, recent = scores[max(0, end - 20) : end], scores[max(0, end - 3) : end]
        expected.append(-norm.logsf((recent.mean() - usual.mean()) / max(usual.std(), 1e-6)))
    np.testing.assert_allclose(surprise(scores, long=20, short=3, begin=1)[1:], expected[1:], rtol=1e-8)


def test_a_stretch_of_raised_scores_surprises_more_than_one_raised_score():
    scores = np.random.default_rng(0).random(400)
    alone, together = scores.copy(), scores.copy()
    alone[300], together[300:310] = 1.0, 1.0
    first, second = (surprise(some, long=200, short=10, begin=200)[300:312].max() for some in (alone, together))
    assert second > 2 * first


def test_rows_before_the_beginning_and_equal_scores_surprise_nobody():
    assert surprise(np.full(30, 0.5), long=20, short=3, begin=10).tolist() == pytest.approx([np.log(2)] * 30)
    assert surprise(np.random.default_rng(0).random(30), long=20, short=3, begin=30)[29] == pytest.approx(np.log(2))


def test_a_score_uses_no_value_behind_its_row():
    scores = np.random.default_rng(0).random(60)
    np.testing.assert_array_equal(
        surprise(scores, long=20, short=3, begin=5)[:40], surprise(scores[:40], long=20, short=3, begin=5)
    )


@pytest.mark.parametrize("short", [0, 20])
def test_windows_out_of_order_are_refused(short: int):
    with pytest.raises(BadInput, match="short and long"):
        surprise(np.zeros(30), long=20, short=short, begin=0)
