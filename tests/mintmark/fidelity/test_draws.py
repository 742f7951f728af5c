"""Samples share no record, and are as large as both sources allow."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mintmark.fidelity.draws import draw


@given(st.integers(0, 300), st.integers(0, 300), st.integers(2, 6), st.integers(1, 40))
def test_no_record_is_in_two_samples_and_all_samples_are_of_one_size(num_real, num_released, draws, max_size):
    found = draw(num_real, num_released, draws=draws, max_size=max_size, rng=np.random.default_rng(0))
    real = np.concatenate([found.real, found.other_real]).ravel()
    assert len(set(real.tolist())) == len(real) == 2 * draws * found.size
    assert len(set(found.released.ravel().tolist())) == draws * found.size
    assert set(real.tolist()) <= set(range(num_real))
    assert set(found.released.ravel().tolist()) <= set(range(num_released))
    assert found.size == min(num_real // (2 * draws), num_released // draws, max_size)
