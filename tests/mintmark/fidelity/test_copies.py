"""Copies and near-copies: thresholds by hand, the filter against SciPy, and what an ideal generator would lose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import CopyFilter, calibrated_filter, filter_from_facts, near_copies, pixels
from mintmark.fidelity.poses import Poses


def one_pixel(values, codes):
    images = np.asarray(values, np.uint8).reshape(-1, 1, 1, 1)
    ids = [str(row) for row in range(len(images))]
    return ImageSet(ids=ids, codes=np.asarray(codes, np.int64), images=images, classes=("a", "b"))


def test_a_threshold_is_the_quantile_of_leave_one_out_distances_within_the_class():
    train = one_pixel([0, 51, 153, 0, 102], [0, 0, 0, 1, 1])  # class a: .2, .2, .4; class b: .4, .4
    thresholds = calibrated_filter(train, quantile=0.75, min_class_records=2).thresholds
    assert thresholds == pytest.approx({0: 0.3, 1: 0.4})


def test_a_small_class_takes_the_quantile_over_all_classes():
    train = one_pixel([0, 51, 153, 0, 102], [0, 0, 0, 1, 1])
    thresholds = calibrated_filter(train, quantile=0.5, min_class_records=3).thresholds
    assert thresholds == pytest.approx({0: 0.2, 1: 0.4})  # all: .2 .2 .4 .4 .4


def test_a_single_record_and_unlabelled_records_have_a_threshold_too():
    train = one_pixel([0, 51, 7, 100, 151], [0, 0, 1, -1, -1])
    assert set(calibrated_filter(train, quantile=0.0, min_class_records=2).thresholds) == {0, 1, -1}


def test_repeats_in_the_training_set_do_not_pull_the_threshold_to_zero():
    train = one_pixel([0, 0, 0, 51], [0, 0, 0, 0])
    assert calibrated_filter(train, quantile=0.0, min_class_records=1).thresholds[0] == pytest.approx(0.2)


def test_records_that_are_all_equal_cannot_be_calibrated():
    with pytest.raises(ValueError, match="two different records"):
        calibrated_filter(one_pixel([5, 5], [0, 0]), quantile=0.1, min_class_records=1)


def test_a_copy_is_found_whatever_class_it_claims_and_the_border_belongs_to_it():
    train = one_pixel([0, 255], [0, 1])
    found = near_copies(
        np.array([0, 51, 52, 204, 203], np.uint8).reshape(-1, 1, 1, 1), train, CopyFilter(thresholds={0: 0.2, 1: 0.2})
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
    assert (near_copies(images[25:], train, CopyFilter(thresholds=thresholds)) == expected).all()


def test_fresh_real_records_lose_about_the_quantile(digits: ImageSet):
    """What an ideal generator would lose: the calibration's promise, within a factor of three at 900 records."""
    order = np.random.default_rng(0).permutation(len(digits))
    train, fresh = digits.take(order[:900]), digits.take(order[900:])
    copy_filter = calibrated_filter(train, quantile=0.1, min_class_records=30)
    lost = near_copies(fresh.images, train, copy_filter).mean()
    assert 0.1 / 3 <= lost <= 0.1 * 3


@pytest.mark.parametrize("poses", [Poses(shifts=1), Poses(shifts=1, flip=True)])
def test_fresh_real_records_lose_about_the_quantile_in_any_poses(digits: ImageSet, poses: Poses):
    order = np.random.default_rng(0).permutation(len(digits))
    train, fresh = digits.take(order[:900]), digits.take(order[900:])
    copy_filter = calibrated_filter(train, quantile=0.1, min_class_records=30, poses=poses)
    assert 0.1 / 3 <= near_copies(fresh.images, train, copy_filter).mean() <= 0.1 * 3


def test_one_odd_pair_does_not_set_the_threshold_of_a_later_neighbour():
    train = one_pixel([0, 1, 50, 100, 150, 200, 250], [0] * 7)
    nearest_one = calibrated_filter(train, quantile=0.0, min_class_records=2)
    second = calibrated_filter(train, quantile=0.0, min_class_records=2, neighbours=2)
    assert nearest_one.thresholds[0] == pytest.approx(1 / 255)
    assert second.thresholds[0] == pytest.approx(49 / 255)  # from 1 to 50


def test_where_classes_differ_in_density_each_has_a_threshold_of_its_own():
    rng = np.random.default_rng(0)
    tight, loose = rng.integers(0, 10, (60, 4, 4, 1)), rng.integers(0, 256, (60, 4, 4, 1))
    images = np.concatenate([tight, loose]).astype(np.uint8)
    train = ImageSet(ids=["x"] * 120, codes=np.repeat([0, 1], 60), images=images, classes=("tight", "loose"))
    for neighbours in (1, 2):
        copy_filter = calibrated_filter(train, quantile=0.05, min_class_records=10, neighbours=neighbours)
        assert copy_filter.thresholds[1] > 10 * copy_filter.thresholds[0]
        fresh_tight = rng.integers(0, 10, (200, 4, 4, 1)).astype(np.uint8)
        assert near_copies(fresh_tight, train, copy_filter).mean() < 0.4
        close = np.clip(loose.astype(int) + rng.integers(-20, 21, loose.shape), 0, 255).astype(np.uint8)
        assert near_copies(close, train, copy_filter).all()


def test_a_filter_survives_its_facts_and_unlabelled_records_may_hide_in_any_class():
    train = one_pixel([0, 51, 7, 100, 151], [0, 0, 1, -1, -1])
    kept = CopyFilter(thresholds={0: 0.1, 1: 0.4, -1: 0.2}, poses=Poses(shifts=2, flip=True))
    found = filter_from_facts(kept.as_facts(train.classes), train.labelled())
    assert (found.thresholds, found.poses) == ({0: 0.2, 1: 0.4}, kept.poses)
    with pytest.raises(ValueError, match="lacks \\['b'\\]"):
        filter_from_facts({"thresholds": {"a": 0.1}}, train.labelled())
