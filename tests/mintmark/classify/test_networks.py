"""The classifier network: any size, and logits that are the head of the features."""

import pytest
import torch

from mintmark.classify.networks import SmallCNN


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 20, 3), (3, 3, 2), (64, 64, 1)])
def test_it_takes_images_of_any_size(shape: tuple[int, int, int]):
    network = SmallCNN(shape, 5, 4).eval()
    images = torch.zeros(2, shape[2], *shape[:2])
    assert network(images).shape == (2, 5)
    assert network.features(images).shape == (2, network.num_features)


def test_logits_are_the_head_of_the_features():
    network = SmallCNN((8, 8, 1), 3, 4).eval()
    images = torch.linspace(-1, 1, 128).reshape(2, 1, 8, 8)
    assert torch.equal(network(images), network.head(network.features(images)))


def test_an_8x8_image_is_halved_twice_and_a_wider_layer_follows_each_halving():
    network = SmallCNN((8, 8, 1), 10, 16)
    # convolutions 9 (1*16 + 16*32 + 32*64), normalisations 2 (16 + 32 + 64), head 64 * 10 + 10
    assert sum(one.numel() for one in network.parameters()) == 9 * 2576 + 224 + 650
