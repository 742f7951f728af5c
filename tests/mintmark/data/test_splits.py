"""Coins: units stay whole, strata have their sizes, and membership tells nothing of a record."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from mintmark.data.splits import PARTS, draw, strata_of, units_of
from mintmark.intervals import auc

FRACTIONS = {"train": 0.45, "validation": 0.1, "test": 0.3, "reference": 0.15}
UNLABELLED = {"train": 0.55, "validation": 0.0, "test": 0.3, "reference": 0.15}


def drawn(codes: np.ndarray, units: np.ndarray, *, seed: int = 0):
    rng = np.random.default_rng(seed)
    return draw(codes, units, fractions=FRACTIONS, unlabelled_fractions=UNLABELLED, rng=rng)


def singles(num: int) -> np.ndarray:
    return units_of(num, together=[])


def test_a_unit_is_a_chain_through_any_partition():
    payloads = np.array([0, 1, 1, 2, 3, 4])  # 1 and 2 are equal
    groups = np.array([-1, -1, 0, 0, 1, 1])  # 2 and 3 belong together, 4 and 5 as well
    assert units_of(6, together=[payloads, groups]).tolist() == [0, 1, 1, 1, 2, 2]
    assert units_of(3, together=[]).tolist() == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), max_size=30))
def test_units_are_the_coarsest_partition_that_tears_nothing(bonds: list[tuple[int, int]]):
    partitions = [np.array([bond[place] for bond in bonds], np.int64) for place in (0, 1)]
    units = units_of(len(bonds), together=partitions)
    assert units.tolist() == _flooded(partitions)


def _flooded(partitions: list[np.ndarray]) -> list[int]:
    """The same by plain flooding."""
    units = [-1] * len(partitions[0])
    for start in range(len(units)):
        waiting = [start] if units[start] < 0 else []
        number = max(units, default=-1) + 1
        while waiting:
            one = waiting.pop()
            if units[one] < 0:
                units[one] = number
                waiting += [
                    other for part in partitions if part[one] >= 0 for other in np.flatnonzero(part == part[one])
                ]
    return units


def test_a_units_stratum_is_its_commonest_label_and_of_equals_the_lowest():
    codes = np.array([2, 2, 0, -1, -1, 1, 0, -1, -1, 1])
    units = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 3])
    assert strata_of(codes, units).tolist() == [2, -1, 0, 1]


@given(st.lists(st.integers(-1, 4), max_size=200), st.integers(0, 10))
def test_each_part_of_a_stratum_has_its_fraction_to_within_one_record(labels: list[int], seed: int):
    codes = np.array(labels, np.int64)
    membership = drawn(codes, singles(len(codes)), seed=seed)
    for stratum in set(labels):
        shares = UNLABELLED if stratum < 0 else FRACTIONS
        sizes = np.bincount(membership.parts[codes == stratum], minlength=len(PARTS))
        assert sizes.sum() == (codes == stratum).sum()
        for part, size in zip(PARTS, sizes.tolist(), strict=True):
            assert abs(size - shares[part] * sizes.sum()) < 1 + 1e-9


@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 9)), min_size=1, max_size=80), st.integers(0, 5))
def test_a_group_never_straddles_and_no_record_is_lost(rows: list[tuple[int, int]], seed: int):
    codes, groups = (np.array([row[place] for row in rows], np.int64) for place in (0, 1))
    membership = drawn(codes, units_of(len(rows), together=[groups]), seed=seed)
    assert len(membership.parts) == len(rows)
    for group in set(groups[groups >= 0].tolist()):
        assert len(set(membership.parts[groups == group].tolist())) == 1
        assert len(set(membership.coins[groups == group].tolist())) == 1


def test_coins_are_uniform_and_order_a_stratum_into_its_parts():
    codes = np.arange(2000) % 2
    membership = drawn(codes, singles(2000))
    assert stats.kstest(membership.coins, "uniform").pvalue > 0.01
    for code in (0, 1):
        coins, parts = membership.coins[codes == code], membership.parts[codes == code]
        assert np.all(np.diff(parts[np.argsort(coins)]) >= 0)


def test_a_seed_is_its_coins():
    codes, units = np.arange(50) % 3, singles(50)
    assert drawn(codes, units).coins.tolist() == drawn(codes, units).coins.tolist()
    assert drawn(codes, units).coins.tolist() != drawn(codes, units, seed=1).coins.tolist()


def test_a_large_unit_has_the_chances_of_a_small_one():
    """Counting records instead of units would keep the unit of 30 out of the last part, for ever."""
    units = units_of(130, together=[np.array([0] * 30 + [-1] * 100)])
    codes = np.zeros(130, np.int64)
    parts = np.array([drawn(codes, units, seed=seed).parts[0] for seed in range(600)])
    shares = np.bincount(parts, minlength=len(PARTS)) / 600
    assert shares == pytest.approx(list(FRACTIONS.values()), abs=0.07)  # 0.07: over three standard errors


def blind_auc(pixels: np.ndarray, member: np.ndarray) -> float:
    """How well a classifier that sees the record and no model tells members from the others, cross-validated."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(Ridge(alpha=10.0), pixels / 255, member.astype(float), cv=folds.split(pixels, member))
    return auc(scores[member], scores[~member])


def blind_p_value(pixels: np.ndarray, codes: np.ndarray, member: np.ndarray) -> float:
    """Against the members dealt anew within each class: below 0.5 a little, because a class's members are a fixed number."""
    rng = np.random.default_rng(0)
    dealt = []
    for _ in range(99):
        other = member.copy()
        for code in np.unique(codes):
            other[codes == code] = rng.permutation(member[codes == code])
        dealt.append(blind_auc(pixels, other))
    return (1 + np.sum(np.array(dealt) >= blind_auc(pixels, member))) / 100


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1, 2))])
def test_a_classifier_that_sees_the_record_alone_cannot_tell_members(digits, seed: int):
    parts = drawn(digits.codes, singles(len(digits)), seed=seed).parts
    chosen = np.isin(parts, [PARTS.index("train"), PARTS.index("test")])
    pixels = digits.images[chosen].reshape(chosen.sum(), -1).astype(float)
    assert 0.02 < blind_p_value(pixels, digits.codes[chosen], parts[chosen] == PARTS.index("train")) < 0.99


def test_that_classifier_would_see_a_split_by_order(digits):
    """The control: the digits come writer by writer, and early writers differ from late ones."""
    pixels = digits.images.reshape(len(digits), -1).astype(float)
    assert blind_p_value(pixels, digits.codes, np.arange(len(digits)) < 0.6 * len(digits)) == 0.01
