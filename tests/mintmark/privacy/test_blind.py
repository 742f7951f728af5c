"""The blind baseline: at one half under a fair coin, and beyond it where the split is none."""

import numpy as np
import pytest

from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import pixels
from mintmark.privacy.blind import blind_baseline, features


@pytest.fixture(scope="module")
def records(digits: ImageSet) -> tuple[np.ndarray, np.ndarray]:
    some = digits.take(np.arange(240))
    return features(pixels(some.images).numpy(), some.codes, num_classes=10), some.codes


def balanced_coin(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As the split tosses it: the same share of every class."""
    mask = np.zeros(len(codes), bool)
    for code in range(10):
        rows = rng.permutation(np.flatnonzero(codes == code))
        mask[rows[: round(0.6 * len(rows))]] = True
    return mask


def test_under_a_fair_balanced_coin_its_p_values_are_uniform_enough(records):
    found, codes = records
    rng = np.random.default_rng(0)
    p_values = [
        blind_baseline(found, is_member=balanced_coin(codes, rng), strata=codes, permutations=99, rng=rng).p_value
        for _ in range(60)
    ]
    assert np.mean(np.array(p_values) <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 60)
    assert 0.3 < np.mean(p_values) < 0.7


def test_a_shift_between_members_and_others_is_noticed(records):
    found, codes = records
    rng = np.random.default_rng(1)
    is_member = balanced_coin(codes, rng)
    shifted = found.copy()
    shifted[is_member, :64] *= 0.8
    blind = blind_baseline(shifted, is_member=is_member, strata=codes, permutations=199, rng=rng)
    assert blind.p_value == pytest.approx(1 / 200)
    assert 0.5 < blind.low < blind.auc <= blind.high <= 1.0


def test_features_are_pixels_and_the_label():
    found = features(np.array([[0.5], [1.0]], np.float32), np.array([1, -1]), num_classes=2)
    assert found.tolist() == [[0.5, 0.0, 1.0], [1.0, 0.0, 0.0]]


def test_too_few_records_are_refused():
    with pytest.raises(ValueError, match="5 of each"):
        blind_baseline(
            np.zeros((8, 2)),
            is_member=np.arange(8) < 4,
            strata=np.zeros(8, np.int64),
            permutations=9,
            rng=np.random.default_rng(0),
        )
