"""What the networks share: refused sizes, seeded batches, and a training that stops when it diverges."""

import pytest
import torch

from mintmark.errors import BadInput
from mintmark.series.reconstruction import Recipe, batches, perceptron, step

RECIPE = {"steps": 3, "batch_size": 4, "learning_rate": 1.0e-2, "width": 5, "code": 2}


@pytest.mark.parametrize("name", RECIPE)
def test_sizes_below_their_least_are_refused(name: str):
    with pytest.raises(ValueError, match=name):
        Recipe(**RECIPE | {name: type(RECIPE[name])(0)})


def test_batches_depend_on_the_generator_alone():
    windows, recipe = torch.arange(20.0).reshape(10, 2, 1), Recipe(**RECIPE)
    first, second = (list(batches(windows, recipe, rng=torch.Generator().manual_seed(1))) for _ in range(2))
    assert [tuple(one.shape) for one in first] == [(4, 2, 1)] * 3
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_perceptron_ends_in_a_linear_layer():
    kinds = [type(layer).__name__ for layer in perceptron(6, 4, 2)]
    assert kinds == ["Linear", "LeakyReLU", "Linear"]


def test_a_loss_that_is_not_finite_stops_the_training():
    weight = torch.nn.Parameter(torch.tensor(1.0))
    with pytest.raises(BadInput, match="smaller learning_rate"):
        step(torch.optim.SGD([weight], lr=1.0), weight * torch.inf)
