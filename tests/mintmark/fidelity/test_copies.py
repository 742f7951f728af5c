"""Copies and near-copies: thresholds by hand, the filter against SciPy, and what an ideal generator would lose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import copy_thresholds, near_copies, pixels


def one_pixel(values, codes):
    images = np.asarray(values, np.uint8).reshape(-1, 1, 1, 1)
    ids = [str(row) for row in range(len(images))]
    return ImageSet(ids=ids, codes=np.asarray(codes, np.int64), images=images, classes=("a", "b"))


def test_a_threshold_is_the_quantile_of_leave_one_out_distances_within_the_class():
    train = one_pixel([0, 51, 153, 0, 102], [0, 0, 0, 1, 1])  # class a: .2, .2, .4; class b: .4, .4
    thresholds = copy_thresholds(train, quantile=0.75, min_class_records=2)
    assert thresholds == pytest.approx({0: 0.3, 1: 0.4})


def test_a_small_class_takes_the_quantile_over_all_classes():
    train = one_pixel([0, 51, 153, 0, 102], [0, 0, 0, 1, 1])
    thresholds = copy_thresholds(train, quantile=0.5, min_class_records=3)
    assert thresholds == pytest.approx({0: 0.2, 1: 0.4})  # all: .2 .2 .4 .4 .4


def test_a_single_record_and_unlabelled_records_have_a_threshold_too():
    train = one_pixel([0, 51, 7, 100, 151], [0, 0, 1, -1, -1])
    assert set(copy_thresholds(train, quantile=0.0, min_class_records=2)) == {0, 1, -1}


def test_repeats_in_the_training_set_do_not_pull_the_threshold_to_zero():
    train = one_pixel([0, 0, 0, 51], [0, 0, 0, 0])
    assert copy_thresholds(train, quantile=0.0, min_class_records=1)[0] == pytest.approx(0.2)


def test_records_that_are_all_equal_cannot_be_calibrated():
    with pytest.raises(ValueError, match="two different records"):
        copy_thresholds(one_pixel([5, 5], [0, 0]), quantile=0.1, min_class_records=1)


def test_a_copy_is_found_whatever_class_it_claims_and_the_border_belongs_to_it():
    train = one_pixel([0, 255], [0, 1])
    found = near_copies(
        np.array([0, 51, 52, 204, 203], np.uint8).reshape(-1, 1, 1, 1), train, thresholds={0: 0.2, 1: 0.2}
    )
    assert found.tolist() == [True, True, False, True, False]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_filter_agrees_with_scipy(seed: int):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (40, 3, 3, 1)).astype(np.uint8)
    train = ImageSet(ids=["x"] * 25, codes=rng.integers(-1, 2, 25), images=images[:25], classes=("a", "b"))
    thresholds = {int(code): float(rng.uniform(0.5, 1.2)) for code in np.unique(train.codes)}
    distances = cdist(pixels(images[25:]).numpy(), pixels(train.images).numpy())
    expected = (distances <= np.array([thresholds[code] for code in train.codes])).any(axis=1)
    assert (near_copies(images[25:], train, thresholds=thresholds) == expected).all()


def test_fresh_real_records_lose_about_the_quantile(digits: ImageSet):
    """What an ideal generator would lose: the calibration's promise, within a factor of three at 900 records."""
    order = np.random.default_rng(0).permutation(len(digits))
    train, fresh = digits.take(order[:900]), digits.take(order[900:])
    thresholds = copy_thresholds(train, quantile=0.1, min_class_records=30)
    lost = near_copies(fresh.images, train, thresholds=thresholds).mean()
    assert 0.1 / 3 <= lost <= 0.1 * 3
