"""Copying and authenticity: by hand, against SciPy, and on releases that copy, repeat the population, or miss it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mintmark.fidelity.memorisation import Cell, Nearness, authentic, cells, copying_score, nearness


def normal(n: int, *, seed: int) -> torch.Tensor:
    return torch.randn(n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_nearness_by_hand():
    found = nearness(column(0.25, 9.0), column(0.0, 1.0, 5.0))
    assert found.distances.tolist() == [0.25, 4.0]
    assert found.surroundings.tolist() == [1.0, 4.0]


def test_a_record_is_authentic_only_beyond_the_surroundings_of_its_training_record():
    found = Nearness(np.array([0.5, 1.0, 1.5, 0.0]), np.array([1.0, 1.0, 1.0, 0.0]))
    assert authentic(found).tolist() == [False, False, True, False]  # a copy of a record that occurs twice is none


def test_cells_with_too_few_records_of_either_group_are_left_out():
    distances, codes = np.arange(6.0), np.array([0, 0, 0, 1, 1, 2])
    found = cells(distances, codes, distances + 10, np.array([0, 0, 1, 1, 2, 2]), fewest=2)
    assert [cell.held_out.tolist() for cell in found] == [[0, 1, 2], [3, 4]]
    assert [cell.judged.tolist() for cell in found] == [[10, 11], [12, 13]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_one_cell_scores_as_mann_and_whitneys_test(seed: int):
    rng = np.random.default_rng(seed)
    cell = Cell(rng.integers(0, 9, 12).astype(float), rng.integers(0, 9, 15).astype(float))  # ties abound
    expected = stats.mannwhitneyu(cell.judged, cell.held_out, use_continuity=False, method="asymptotic")
    value = copying_score([cell]).value
    assert 2 * stats.norm.sf(abs(value)) == pytest.approx(float(expected.pvalue))
    assert np.sign(value) == np.sign(expected.statistic - 12 * 15 / 2)


def test_cells_are_weighted_by_their_held_out_records():
    near, far = Cell(np.arange(10.0), np.arange(10.0) - 20), Cell(np.arange(30.0), np.arange(10.0) + 50)
    alone = [copying_score([cell]).value for cell in (near, far)]
    assert copying_score([near, far]).value == pytest.approx(0.25 * alone[0] + 0.75 * alone[1])


def test_records_that_all_tie_tell_nothing():
    assert copying_score([Cell(np.zeros(5), np.zeros(5))]) == (0.0, 0.0, 0.0)


def test_no_cell_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        copying_score([])


def test_interval_holds_zero_about_as_often_as_it_says_for_fresh_records():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        drawn, codes = rng.exponential(size=(2, 200)), rng.integers(0, 6, (2, 200))
        found = copying_score(cells(drawn[0], codes[0], drawn[1], codes[1], fewest=5))
        held += found.low <= 0 <= found.high
    assert 0.91 <= held / 300 <= 0.98


@pytest.mark.parametrize(("copied", "low", "high"), [(1.0, -99.0, -8.0), (0.3, -9.0, -2.0), (0.0, -2.0, 2.0)])
def test_copies_lie_far_below_zero_and_fresh_records_about_it(copied: float, low: float, high: float):
    train, held_out, fresh = normal(400, seed=0), normal(200, seed=1), normal(200, seed=2)
    released = fresh.clone()
    released[: int(copied * 200)] = train[: int(copied * 200)] + 1e-3
    found = [nearness(part, train).distances for part in (held_out, released)]
    alike = np.zeros(200, np.int64)
    score = copying_score(cells(found[0], alike, found[1], alike, fewest=5))
    assert low < score.value < high
    assert (score.high < 0) == (copied > 0)


def test_records_that_miss_the_population_lie_far_above_zero_and_are_authentic():
    train, held_out = normal(400, seed=0), normal(200, seed=1)
    missed, alike = nearness(normal(200, seed=2) + 5, train), np.zeros(200, np.int64)
    assert copying_score(cells(nearness(held_out, train).distances, alike, missed.distances, alike, fewest=5)).low > 5
    assert authentic(missed).mean() > 0.95


def test_copies_are_not_authentic_and_fresh_records_are_so_about_half_of_the_time():
    train = normal(400, seed=0)
    assert not authentic(nearness(train, train)).any()
    assert not authentic(nearness(torch.cat([train, train])[:50], torch.cat([train, train]))).any()
    assert 0.3 < authentic(nearness(normal(200, seed=1), train)).mean() < 0.7
