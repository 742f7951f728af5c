"""Distances to the closest mixed record: by hand, against a plain loop, and what ties and copies come to."""

import numpy as np
import pytest

from mintmark.fidelity import mixed
from mintmark.fidelity.mixed import MixedRecords, closest, compare_closest


def records(numbers: list[list[float]], categories: list[list[int]]) -> MixedRecords:
    return MixedRecords(np.array(numbers, float), np.array(categories, np.int64))


def plainly(queries: MixedRecords, reference: MixedRecords) -> np.ndarray:
    """The same pair by pair."""
    spans = np.nanmax(reference.numbers, axis=0) - np.nanmin(reference.numbers, axis=0)
    found = []
    for mine, own in zip(*queries, strict=True):
        totals = []
        for theirs, other in zip(*reference, strict=True):
            total = float((own != other).sum())
            for one, two, span in zip(mine, theirs, spans, strict=True):
                if np.isnan(one) or np.isnan(two):
                    total += not (np.isnan(one) and np.isnan(two))
                else:
                    total += float(one != two) if span == 0 else min(abs(one - two) / span, 1.0)
            totals.append(total / (len(mine) + len(own)))
        found.append(min(totals))
    return np.array(found)


def test_by_hand():
    reference = records([[0.0, 5.0], [10.0, 5.0]], [[1], [2]])
    queries = records([[4.0, 5.0], [40.0, 6.0], [10.0, 5.0]], [[1], [3], [2]])
    assert closest(queries, reference) == pytest.approx([0.4 / 3, 1.0, 0.0])


def test_against_a_plain_loop_with_missing_values(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mixed, "BLOCK_ELEMENTS", 100)
    rng = np.random.default_rng(0)

    def drawn(num: int) -> MixedRecords:
        numbers = rng.normal(size=(num, 4)).round(1)
        numbers[rng.random((num, 4)) < 0.1] = np.nan
        numbers[:, 3] = 7e9
        return MixedRecords(numbers, rng.integers(-1, 4, (num, 3)))

    queries, reference = drawn(60), drawn(40)
    queries.numbers[:20, 3] = 8e9
    assert closest(queries, reference) == pytest.approx(plainly(queries, reference), abs=1e-12)


def test_a_column_kind_may_be_absent():
    numbers, categories = records([[0.0], [1.0]], [[], []]), records([[], []], [[0], [1]])
    assert closest(numbers, numbers).tolist() == [0.0, 0.0]
    assert closest(categories, categories).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="must have the same columns"):
        closest(numbers, categories)


def test_ties_are_told_apart_from_safety():
    train, held_out = records([[0.0], [1.0]], [[0], [0]]), records([[0.0], [2.0]], [[0], [0]])
    made = records([[0.0], [1.0], [2.0], [1.9]], [[0], [0], [0], [0]])
    assert compare_closest(made, train, held_out) == (0.25, 0.5, 0.25)
