"""Draws by class: the parts are alike."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mintmark.classify.strata import by_class, deal


@given(codes=st.lists(st.integers(-1, 3), max_size=60), num_parts=st.integers(1, 5), seed=st.integers(0, 9))
def test_parts_differ_by_at_most_one_record_overall_and_in_each_class(codes: list[int], num_parts: int, seed: int):
    labels = np.array(codes, np.int64)
    part = deal(labels, num_parts=num_parts, rng=np.random.default_rng(seed))
    for group in [labels >= -1, *(labels == code for code in range(-1, 4))]:
        sizes = np.bincount(part[group], minlength=num_parts)
        assert sizes.max() - sizes.min() <= 1


def test_rows_come_class_by_class_and_in_another_order_by_another_seed():
    codes = np.array([1, 0, 1, 0, -1, 1, 0, 1])
    one, two = (by_class(codes, rng=np.random.default_rng(seed)) for seed in (0, 1))
    assert sorted(one) == list(range(8))
    assert codes[one].tolist() == sorted(codes)
    assert one.tolist() != two.tolist()
