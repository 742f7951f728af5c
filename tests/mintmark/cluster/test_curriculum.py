"""When transformations join, on tapes of losses."""

import pytest
import torch

from mintmark.cluster.curriculum import Curriculum


def stages(losses, **change):
    """The stage in which each step's loss was found."""
    curriculum = Curriculum(**{"num_stages": 2, "longest": 100, "plateau": 0.1, "every": 2} | change)
    found = []
    for loss in losses:
        found.append(curriculum.stage)
        curriculum.advance(torch.tensor([loss - 0.01, loss + 0.01]))
    return found


def test_next_joins_where_the_loss_stops_falling():
    assert stages([9.0, 9.0, 5.0, 5.0, 4.9, 4.9, 3.0, 3.0, 2.9, 2.9, 2.0]) == [0] * 6 + [1] * 4 + [2]


def test_a_new_stage_forgets_the_losses_of_the_one_before():
    # The first losses of stage 1 are no lower than the last of stage 0, and yet it goes on.
    assert stages([9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 5.0, 5.0]) == [0] * 4 + [1] * 4


def test_next_joins_at_the_latest_when_time_is_up():
    assert stages([2.0**-step for step in range(8)], longest=3) == [0] * 3 + [1] * 3 + [2] * 2


def test_noise_between_looks_does_not_count():
    assert stages([9.0, 1.0, 7.0, 1.0, 5.0, 1.0]) == [0] * 6


@pytest.mark.parametrize("num", [0, 3])
def test_all_take_part_at_once_where_a_stage_may_have_no_step(num):
    assert stages([1.0, 1.0, 1.0], longest=0, num_stages=num) == [num] * 3


def test_nothing_joins_after_the_last():
    assert max(stages([1.0] * 20)) == 2
