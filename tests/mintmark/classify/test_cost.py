"""The cost of a step, against a count by hand."""

import pytest
import torch

from mintmark.classify.cost import step_flops


def test_a_step_s_operations_are_those_counted_by_hand():
    # Multiply-adds of one 4x4x1 image: 16 places * 9 * (1 * 2), then 4 places * 9 * (2 * 4), and the head's 4 * 3.
    # Backward costs each product twice over, save the first layer, whose input needs no gradient.
    first, second, head = 16 * 9 * 2, 4 * 9 * 8, 12
    expected = 2 * 5 * (first * 2 + second * 3 + head * 3)
    assert step_flops((4, 4, 1), num_classes=3, width=2, batch_size=5) == pytest.approx(expected)


def test_counting_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    step_flops((8, 8, 1), num_classes=3, width=2, batch_size=5)
    assert torch.equal(torch.get_rng_state(), before)
