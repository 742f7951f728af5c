"""Rounding goes against the release, and tells no more than three digits."""

import pytest

from mintmark.privacy.rounding import rounded_down, rounded_up


@pytest.mark.parametrize(("value", "up", "down"), [(0.5121, 0.513, 0.512), (0.512, 0.512, 0.512), (0.9999, 1.0, 0.999)])
def test_by_hand(value: float, up: float, down: float):
    assert rounded_up(value) == pytest.approx(up)
    assert rounded_down(value) == pytest.approx(down)


def test_ends_stay_within_their_range():
    assert rounded_up(1.0) == 1.0
    assert rounded_down(-0.2) == 0.0
    assert rounded_down(-0.2001, least=-1.0) == pytest.approx(-0.201)
