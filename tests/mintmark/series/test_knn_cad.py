"""Both detectors against a slow reading of their rules, and the published one against its published score."""

import os
from pathlib import Path

import numpy as np
import pytest

from mintmark.errors import BadInput
from mintmark.series.conformal import one_alarm_an_event
from mintmark.series.knn_cad import ALARM, REST_RATE, knn_cad, long_memory
from mintmark.series.nab_corpus import read_corpus
from mintmark.series.nab_scoring import PROFILES, nab_score, probation

DETECTORS = {
    name: lambda values, detect=detect: detect(values, period=30, num_rows=4, num_neighbours=3)
    for name, detect in {"knn_cad": knn_cad, "long_memory": long_memory}.items()
}


def waves(num: int, seed: int = 0) -> np.ndarray:
    return np.sin(np.arange(num) / 3) + 0.3 * np.random.default_rng(seed).normal(size=num) + 1.0


def slow_knn_cad(values: np.ndarray, period: int, num_rows: int, num_neighbours: int) -> list[float]:
    """One row after the other, with the training, the calibration and the ranks as queues."""
    training: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    ranks: list[float] = []
    found, inverse = [], np.eye(num_rows)

    def strange(point: np.ndarray, num: int) -> float:
        return sum(sorted(float((point - other) @ inverse @ (point - other)) for other in training)[:num])

    for seen in range(1, len(values) + 1):
        point = values[max(0, seen - num_rows) : seen]
        if seen < period:
            found.append(0.0)
            if seen >= num_rows:
                training.append(point)
            continue
        if seen % period in {0, period // 2}:
            inverse = np.linalg.inv(np.array(training).T @ np.array(training))
        ranks = ranks or [strange(one, num_neighbours + 1) for one in training]
        now = strange(point, num_neighbours)
        found.append(float(np.mean([rank < now for rank in ranks])))
        if seen >= 2 * period:
            training = [*training[1:], waiting.pop(0)]
        waiting.append(point)
        ranks = [*ranks[1:], now]
    return found


def slow_long_memory(values: np.ndarray, period: int, num_rows: int, num_neighbours: int) -> list[float]:
    """Every point against every earlier one."""
    points = [values[end - num_rows : end] for end in range(num_rows, len(values) + 1)]
    num_first, strange, found = period - num_rows, [], [0.0] * (num_rows - 1)
    for place, point in enumerate(points):
        if place < num_first:
            others = [other for number, other in enumerate(points[:num_first]) if number != place]
        else:
            others = points[: max(num_first, place - num_rows + 1)]
        strange.append(sum(sorted(float(((point - other) ** 2).sum()) for other in others)[:num_neighbours]))
        before = strange[place - num_first : place] if place >= num_first else []
        found.append(float(np.mean([one < strange[-1] for one in before])) if before else 0.0)
    return found


def test_the_published_detector_is_what_a_slow_reading_finds():
    expected = slow_knn_cad(waves(170), 30, 4, 3)
    np.testing.assert_allclose(DETECTORS["knn_cad"](waves(170)), expected, atol=1e-12)


def test_the_long_memory_is_what_a_slow_reading_finds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mintmark.series.knn_cad.BLOCK", 16)
    expected = slow_long_memory(waves(170), 30, 4, 3)
    np.testing.assert_allclose(DETECTORS["long_memory"](waves(170)), expected, atol=1e-12)


@pytest.mark.parametrize("detect", DETECTORS.values(), ids=DETECTORS)
def test_a_score_uses_no_value_behind_its_row(detect):
    values = waves(170)
    other = np.where(np.arange(170) < 101, values, 9.0)
    np.testing.assert_array_equal(detect(values)[:101], detect(other)[:101])
    np.testing.assert_array_equal(detect(values)[:101], detect(values[:101]))


@pytest.mark.parametrize("detect", DETECTORS.values(), ids=DETECTORS)
def test_a_shape_that_was_never_there_is_stranger_than_all_before(detect):
    values = waves(170)
    values[140:144] = [3.0, -2.0, 3.0, -2.0]
    assert detect(values)[141:144].tolist() == [1.0, 1.0, 1.0]


def test_only_the_long_memory_knows_again_what_it_saw_long_ago():
    """A burst in the first period returns when the sliding part has left it behind."""
    values, burst = waves(300), np.array([3.0, -2.0, 3.0, -2.0, 3.0, -2.0])
    for start in (10, 16, 22, 250):
        values[start : start + 6] = burst
    scores = {name: detect(values)[253:256].max() for name, detect in DETECTORS.items()}
    assert scores["knn_cad"] == 1.0
    assert scores["long_memory"] < 1.0


@pytest.mark.parametrize("detect", DETECTORS.values(), ids=DETECTORS)
def test_a_flat_series_and_one_shorter_than_the_period_score_nothing(detect):
    assert not detect(np.full(90, 45.0)).any()
    assert not detect(np.zeros(90)).any()
    assert not detect(waves(20)).any()


@pytest.mark.parametrize("detect", [knn_cad, long_memory])
def test_a_period_with_too_few_points_is_refused(detect):
    with pytest.raises(BadInput, match=r"expected more than num_rows \+ num_neighbours"):
        detect(waves(100), period=7, num_rows=4, num_neighbours=3)
    with pytest.raises(BadInput, match="row 2 is none"):
        detect(np.array([0.0, 1.0, np.nan] * 30), period=60)


@pytest.mark.data
def test_the_published_detector_has_the_score_that_the_benchmark_publishes():
    """To four false alarms: on series that repeat themselves exactly, ranks hang on the last bit."""
    if "MINTMARK_DATA" not in os.environ:
        pytest.skip("needs the folder of real data files that MINTMARK_DATA names")
    corpus = read_corpus(Path(os.environ["MINTMARK_DATA"]) / "nab")
    scores = []
    for one in corpus:
        period = probation(len(one.values))
        found = knn_cad(one.values, period=period)
        scores.append(one_alarm_an_event(found, alarm=ALARM, rest=int(REST_RATE * period)))
    found = {name: nab_score(scores, [one.labels for one in corpus], PROFILES[name]).score for name in PROFILES}
    published = {"standard": 57.9943434, "reward_low_fp": 43.4085170, "reward_low_fn": 64.8123209}
    assert found == pytest.approx(published, abs=0.2)
