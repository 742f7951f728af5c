"""The descent: against Adam by hand, that it stops at what is not finite, and its blocks."""

import dataclasses

import pytest
import torch
from torch import nn

from mintmark.anomaly.descent import BLOCK_ROWS, LEAST_ROWS, Training, descend, in_blocks

TRAINING = Training(steps=7, batch_size=4, learning_rate=0.1, weight_decay=0.0)
NORMALS = torch.arange(10.0).reshape(10, 1, 1, 1)


class Point(nn.Module):
    """One number."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor([5.0]))


def test_the_steps_are_adam_s_on_a_rate_that_falls_along_half_a_cosine():
    point, seen = Point(), []
    descend(
        point, NORMALS, lambda batch, _rng: seen.append(batch) or point.place.square().sum(), training=TRAINING, seed=0
    )
    place, first, second = 5.0, 0.0, 0.0
    for step in range(1, 8):
        gradient = 2 * place
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        rate = 0.1 * (1 + torch.cos(torch.tensor(torch.pi * (step - 1) / 7)).item()) / 2
        place -= rate * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)) ** 0.5 + 1e-8)
    assert point.place.item() == pytest.approx(place, rel=1e-5)
    assert len(seen) == 7
    assert not point.place.requires_grad
    assert not point.training


def test_an_epoch_draws_no_normal_twice_and_epochs_differ():
    point, seen = Point(), []
    descend(point, NORMALS, lambda batch, _rng: seen.append(batch) or point.place.sum(), training=TRAINING, seed=0)
    epochs = [torch.cat(seen[start : start + 2]).flatten().tolist() for start in (0, 2, 4)]
    assert all(len(set(one)) == 8 for one in epochs)
    assert epochs[0] != epochs[1]


def test_fewer_normals_than_a_batch_all_serve_in_every_step():
    point, seen = Point(), []
    descend(point, NORMALS[:3], lambda batch, _rng: seen.append(batch) or point.place.sum(), training=TRAINING, seed=0)
    assert all(sorted(one.flatten().tolist()) == [0, 1, 2] for one in seen)


def test_a_loss_that_is_not_finite_stops_before_the_update():
    point = Point()
    with pytest.raises(FloatingPointError, match="step 1: detector loss must be finite"):
        descend(point, NORMALS, lambda _batch, _rng: (point.place * torch.inf).sum(), training=TRAINING, seed=0)
    assert point.place.item() == 5.0


@pytest.mark.parametrize("num", [0, 1, LEAST_ROWS, BLOCK_ROWS + 3])
def test_blocks_give_every_row_its_own_answer_and_are_neither_small_nor_large(num: int):
    sizes = []
    images = torch.arange(float(num)).reshape(num, 1, 1, 1)
    found = in_blocks(lambda block: sizes.append(len(block)) or block.flatten(1) * 2, images)
    assert torch.equal(found, images.flatten(1) * 2)
    assert all(LEAST_ROWS <= size <= BLOCK_ROWS for size in sizes)


@pytest.mark.parametrize(
    ("key", "value"), [("steps", 0), ("batch_size", 0), ("learning_rate", 0.0), ("weight_decay", -0.1)]
)
def test_a_training_out_of_range_is_refused(key: str, value: float):
    with pytest.raises(ValueError, match=f"^{key} must be .* got {value}"):
        dataclasses.replace(TRAINING, **{key: value})
