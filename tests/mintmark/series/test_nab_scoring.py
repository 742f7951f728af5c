"""The benchmark's score against hand-computed values, its published facts, and a slow reading of its rules."""

import math

import numpy as np
import pytest

from mintmark.errors import BadInput
from mintmark.series.nab_scoring import (
    PROFILES,
    Labels,
    best_threshold,
    held_out_score,
    nab_score,
    normalised,
    probation,
    raw_score,
    row_values,
    scaled_sigmoid,
    sweep,
)

STANDARD = PROFILES["standard"]
LABELS = Labels(num_rows=100, windows=((40, 49), (80, 84)))  # rows 0 to 14 are the probation
QUIET = Labels(num_rows=40, windows=())


def alarm_at(*rows: int, num_rows: int = 100) -> np.ndarray:
    scores = np.zeros(num_rows)
    scores[list(rows)] = 1.0
    return scores


def at(row: float) -> float:
    """The sigmoid, as the paper writes it."""
    return 2 / (1 + math.exp(5 * row)) - 1


@pytest.mark.parametrize(("position", "value"), [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (1.0, -0.98661)])
def test_the_sigmoid_takes_its_published_values(position: float, value: float):
    assert float(scaled_sigmoid(np.array(position))) == pytest.approx(value, abs=5e-6)


def test_far_behind_a_window_an_alarm_is_wholly_false():
    assert float(scaled_sigmoid(np.array(3.001))) == -1.0
    assert float(scaled_sigmoid(np.array(3.0))) == pytest.approx(at(3.0), abs=1e-12)
    assert at(3.0) > -1.0


@pytest.mark.parametrize(("num_rows", "rows"), [(100, 15), (99, 14), (4032, 604), (5000, 750), (22695, 750)])
def test_the_probation_is_15_percent_up_to_750_rows(num_rows: int, rows: int):
    assert probation(num_rows) == rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), -2.0),
        ((40,), 1.0 - 1.0),
        ((40, 80), 2.0),
        ((40, 44, 49, 80), 2.0),
        ((44,), at(-0.6) / at(-1.0) - 1.0),
        ((49,), at(-0.1) / at(-1.0) - 1.0),
        ((30,), -0.11 - 2.0),
        ((14, 0), -2.0),
        ((15,), -0.11 - 2.0),
        ((50,), 0.11 * at(1 / 9) - 2.0),
        ((77,), -0.11 - 2.0),
        ((76,), 0.11 * at(27 / 9) - 2.0),
        ((85, 86), 0.11 * (at(1 / 4) + at(2 / 4)) - 2.0),
    ],
)
def test_alarms_are_worth_what_hand_counting_says(rows: tuple[int, ...], expected: float):
    assert raw_score(alarm_at(*rows), LABELS, STANDARD, threshold=0.5) == pytest.approx(expected, abs=1e-12)


def test_the_profiles_weigh_false_alarms_and_misses_as_published():
    scores = alarm_at(30)
    found = {name: raw_score(scores, LABELS, profile, threshold=0.5) for name, profile in PROFILES.items()}
    assert found == pytest.approx({"standard": -2.11, "reward_low_fp": -2.22, "reward_low_fn": -4.11})


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_null_detector_scores_0_and_the_perfect_one_100(profile):
    silent, perfect = nab_score([np.zeros(100)], [LABELS], profile), nab_score([alarm_at(40, 80)], [LABELS], profile)
    assert (silent.score, silent.threshold) == (0.0, math.inf)
    assert perfect.score == pytest.approx(100.0, abs=1e-12)


def test_half_the_windows_found_at_once_score_50():
    assert nab_score([alarm_at(40)], [LABELS], STANDARD).score == pytest.approx(50.0, abs=1e-12)


def slow_score(scores: np.ndarray, labels: Labels, profile, threshold: float) -> float:
    """Row by row, as the paper tells it."""
    total, found, begin = 0.0, set(), probation(labels.num_rows)
    for row in range(begin, labels.num_rows):
        inside = [window for window in labels.windows if window[0] <= row <= window[1]]
        before = [window for window in labels.windows if window[1] < row]
        if scores[row] < threshold:
            continue
        if inside:
            first, last = inside[0]
            if inside[0] not in found:
                total += profile.true_positive * at(-(last - row + 1) / (last - first + 1)) / at(-1.0)
                found.add(inside[0])
        elif before:
            first, last = before[-1]
            position = (row - last) / (last - first)
            total += profile.false_positive * (at(position) if position <= 3 else -1.0)
        else:
            total -= profile.false_positive
    judged = {window for window in labels.windows if window[1] >= begin}
    return total - profile.false_negative * len(judged - found)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("levels", [5, 1000])
def test_the_sweep_finds_what_every_threshold_scores_row_by_row(profile, levels: int):
    rng = np.random.default_rng(levels)
    labels = [LABELS, QUIET, Labels(num_rows=200, windows=((0, 9), (25, 40), (100, 101), (150, 199)))]
    scores = [rng.integers(0, levels, label.num_rows) / levels for label in labels]
    swept = sweep(scores, labels, profile)
    expected = [
        sum(slow_score(some, label, profile, threshold) for some, label in zip(scores, labels, strict=True))
        for threshold in swept.thresholds
    ]
    np.testing.assert_allclose(swept.totals, expected, atol=1e-9)
    judged = np.concatenate([some[probation(len(some)) :] for some in scores])
    assert swept.thresholds.tolist() == [math.inf, *sorted(set(judged), reverse=True)]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_score_is_that_of_the_best_threshold(profile):
    rng = np.random.default_rng(1)
    labels = [LABELS, QUIET]
    scores = [rng.random(100) + LABELS.inside * rng.random(100), rng.random(40)]
    best = max(sweep(scores, labels, profile).totals)
    found = nab_score(scores, labels, profile)
    assert found.raw.sum() == pytest.approx(best, abs=1e-9)
    assert found.score == pytest.approx(normalised(np.array([best]), labels, profile), abs=1e-9)


def test_the_highest_of_equally_good_thresholds_is_chosen():
    """An alarm on a window's later rows changes nothing."""
    scores = alarm_at(40, 80) + 0.5 * alarm_at(42, 43)
    assert best_threshold([scores], [LABELS], STANDARD) == 1.0


def test_a_held_out_series_is_judged_at_the_threshold_of_the_others():
    scores = [alarm_at(40, 80), 10 * alarm_at(40, 80)]
    raw = held_out_score(scores, [LABELS, LABELS], STANDARD)
    assert raw.tolist() == [-2.0, 2.0]  # the first never reaches 10; the second passes 1


def test_held_out_thresholds_are_those_of_a_sweep_without_the_series():
    rng = np.random.default_rng(2)
    labels = [LABELS, QUIET, LABELS, LABELS]
    scores = [rng.random(label.num_rows) + label.inside for label in labels]
    expected = []
    for left in range(4):
        others = [place for place in range(4) if place != left]
        threshold = best_threshold([scores[one] for one in others], [labels[one] for one in others], STANDARD)
        expected.append(raw_score(scores[left], labels[left], STANDARD, threshold=threshold))
    np.testing.assert_allclose(held_out_score(scores, labels, STANDARD), expected, atol=1e-9)


def test_a_corpus_without_windows_has_no_score():
    with pytest.raises(BadInput, match="at least one anomaly window in the corpus, got none"):
        nab_score([np.zeros(40)], [QUIET], STANDARD)


@pytest.mark.parametrize("windows", [((5, 5),), ((5, 100),), ((5, 9), (9, 12)), ((20, 30), (5, 9)), ((-1, 4),)])
def test_windows_that_cannot_be_scored_are_refused(windows):
    with pytest.raises(BadInput, match="expected ordered windows of two rows or more"):
        Labels(num_rows=100, windows=windows)


@pytest.mark.parametrize("scores", [np.zeros(99), np.full(100, np.nan), np.full(100, np.inf)])
def test_scores_that_are_not_one_finite_number_a_row_are_refused(scores: np.ndarray):
    with pytest.raises(BadInput, match="scores of series 0: expected 100 finite values"):
        sweep([scores], [LABELS], STANDARD)


def test_scores_for_too_few_series_are_refused():
    with pytest.raises(BadInput, match="one array for each of 2 series, got 1"):
        sweep([np.zeros(100)], [LABELS, QUIET], STANDARD)


def test_a_row_s_value_starts_at_the_full_reward_and_falls():
    values = row_values(LABELS, STANDARD)
    assert values[40] == pytest.approx(1.0)
    assert (np.diff(values[40:50]) < 0).all()
    assert (values[:40] == -0.11).all()
