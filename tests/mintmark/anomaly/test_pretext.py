"""The pretext: moves counted by hand, and that a network learns to tell them."""

import pytest
import torch

from mintmark.anomaly.descent import Training
from mintmark.anomaly.pretext import PatchNetwork, fit_patches, move, num_moves


def test_images_are_turned_then_shifted():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    codes = torch.tensor([0, 1, 4, 5, 10, 15])
    found = move(image.expand(6, -1, -1, -1).contiguous(), codes)[:, 0]
    assert torch.equal(found[0], image[0, 0])
    assert found[1, :, 0].tolist() == [12, 0, 4, 8]  # one down
    assert found[2, 0].tolist() == [1, 2, 3, 0]  # one to the left
    assert found[3, 0].tolist() == [3, 7, 11, 15]  # a quarter turn
    assert found[4, 0].tolist() == [15, 14, 13, 12]  # a half
    assert found[5, 0].tolist() == [12, 8, 4, 0]  # three quarters


@pytest.mark.parametrize(("shape", "num"), [((4, 4, 1), 20), ((4, 8, 3), 10)])
def test_every_move_is_another_and_oblong_images_are_turned_by_halves(shape: tuple[int, int, int], num: int):
    assert num_moves(shape) == num
    image = torch.rand(1, shape[2], shape[0], shape[1], generator=torch.Generator().manual_seed(0))
    moved = move(image.expand(num, -1, -1, -1).contiguous(), torch.arange(num))
    assert moved.flatten(1).unique(dim=0).shape[0] == num
    torch.testing.assert_close(moved.flatten(1).sort(dim=1).values, image.flatten(1).sort(dim=1).values.expand(num, -1))


@pytest.mark.parametrize(
    ("shape", "cell", "places"),
    [
        ((28, 28, 1), (4, 4), (7, 7)),
        ((9, 20, 3), (2, 4), (5, 5)),
        ((6, 8, 1), (1, 2), (6, 4)),
        ((5, 5, 1), (1, 1), (5, 5)),
    ],
)
def test_a_cell_is_as_large_as_the_map_is_coarse(shape: tuple[int, int, int], cell, places):
    network = PatchNetwork(shape=shape, width=4)
    assert network.cell == cell
    images = torch.zeros(2, shape[2], shape[0], shape[1])
    assert network.maps(images).shape == (2, network.num_features, *places)
    assert network(images).shape == (2, num_moves(shape))


def test_a_network_learns_to_tell_how_digits_were_moved(zeros):
    several = zeros.anomalies
    training = Training(steps=200, batch_size=64, learning_rate=5e-3, weight_decay=0.0)
    network = fit_patches(several[:200], shape=(8, 8, 1), width=8, training=training, seed=0)
    codes = torch.arange(100) % 20
    told = network(move(several[200:300], codes)).argmax(dim=1)
    assert (told == codes).float().mean() > 0.4  # a twentieth by chance
