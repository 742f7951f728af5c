"""The controls against hand-computed values, against the benchmark's published score, and blind to the future."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from mintmark.errors import BadInput
from mintmark.series.controls import first_difference, moving_z_score, null, random, windowed_gaussian
from mintmark.series.nab_corpus import read_corpus
from mintmark.series.nab_scoring import PROFILES, nab_score

DETECTORS = {
    "null": null,
    "moving_z_score": lambda values: moving_z_score(values, window=5),
    "first_difference": first_difference,
    "windowed_gaussian": lambda values: windowed_gaussian(values, window=20, stride=4),
}


def walk(num: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=num).cumsum()


@pytest.mark.parametrize("detect", DETECTORS.values(), ids=DETECTORS)
def test_a_score_uses_no_value_behind_its_row(detect):
    values = walk()
    other = np.where(np.arange(80) < 50, values, 7 * values + 100)
    np.testing.assert_array_equal(detect(values)[:50], detect(other)[:50])
    np.testing.assert_array_equal(detect(values)[:50], detect(values[:50]))


@pytest.mark.parametrize("detect", DETECTORS.values(), ids=DETECTORS)
def test_a_score_has_no_unit(detect):
    np.testing.assert_allclose(detect(1000 * walk() - 5), detect(walk()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("detect", DETECTORS.values(), ids=DETECTORS)
def test_a_flat_series_has_one_score(detect):
    assert len(set(detect(np.full(50, 45.0)).tolist())) == 1


def test_the_moving_z_score_by_hand():
    """Before the last value: 1, 3 with mean 2 and deviation 1; before the one before: 2, 1."""
    scores = moving_z_score(np.array([2.0, 1.0, 3.0, 7.0]), window=2)
    assert scores.tolist() == pytest.approx([0.0, 0.0, 3.0, 5.0])


def test_a_step_out_of_a_flat_stretch_is_finite():
    """The range is then 4, and the spread counts as a millionth of it."""
    assert moving_z_score(np.array([1.0, 1.0, 1.0, 5.0]), window=3)[3] == pytest.approx(1.0e6)


def test_the_first_difference_by_hand():
    """Steps of 1, 3 and 4: the second against 1, the third against a mean of 2."""
    assert first_difference(np.array([0.0, 1.0, 4.0, 0.0])).tolist() == pytest.approx([0.0, 0.0, 3.0, 2.0])


def test_the_windowed_gaussian_by_hand():
    """Window 3, renewed every 2 rows: rows 3 and 4 look at rows 0 to 2, row 5 at rows 2 to 4."""
    values = np.array([2.0, 1.0, 3.0, 7.0, 0.0, 5.0])
    scores = windowed_gaussian(values, window=3, stride=2)
    seen = [values[:2], values[:3], values[:3], values[2:5]]
    expected = [-norm.logsf(abs(values[row] - some.mean()) / some.std()) for row, some in enumerate(seen, start=2)]
    assert scores[2:].tolist() == pytest.approx(expected)
    assert scores[0] == pytest.approx(np.log(2))


def test_random_scores_depend_on_the_draw_alone():
    first, second = (random(values, rng=np.random.default_rng(3)) for values in (walk(seed=0), walk(seed=1)))
    np.testing.assert_array_equal(first, second)
    assert ((first >= 0) & (first < 1)).all()


@pytest.mark.parametrize("values", [np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.0, np.inf])])
@pytest.mark.parametrize("name", ["moving_z_score", "first_difference", "windowed_gaussian"])
def test_a_series_with_holes_is_refused(name: str, values: np.ndarray):
    with pytest.raises(BadInput, match="row 2 is none"):
        DETECTORS[name](values)


def test_windows_without_a_spread_are_refused():
    with pytest.raises(BadInput, match="window: expected at least 2 rows, got 1"):
        moving_z_score(walk(), window=1)
    with pytest.raises(BadInput, match="stride: expected at least 1, got 0"):
        windowed_gaussian(walk(), window=5, stride=0)


@pytest.mark.data
def test_the_windowed_gaussian_has_the_score_that_the_benchmark_publishes():
    """The published scores are 1 - Q(|z|), written with twelve decimals: from about z = 7 on they are all 1."""
    if "MINTMARK_DATA" not in os.environ:
        pytest.skip("needs the folder of real data files that MINTMARK_DATA names")
    corpus = read_corpus(Path(os.environ["MINTMARK_DATA"]) / "nab")
    scores = [np.round(1 - np.exp(-windowed_gaussian(one.values, window=6400, stride=100)), 12) for one in corpus]
    found = {name: nab_score(scores, [one.labels for one in corpus], PROFILES[name]).score for name in PROFILES}
    published = {"standard": 39.6495235, "reward_low_fp": 20.8679858, "reward_low_fn": 47.4100272}
    assert found == pytest.approx(published, abs=1e-6)
