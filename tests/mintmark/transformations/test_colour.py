"""Gains and biases by hand, and their inverse."""

import torch

from mintmark.transformations.colour import SMALLEST_GAIN, Colour


def test_each_channel_has_its_gain_and_bias():
    image = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 3, 1, 1)
    offsets = torch.tensor([0.5, 0.0, -1.0, 0.1, 0.2, 0.3]).view(1, 1, 6)
    assert torch.allclose(Colour().apply(image, offsets).flatten(), torch.tensor([1.6, 2.2, 0.3]))


def test_undo_is_exact_where_there_is_contrast():
    image, offsets = torch.rand(2, 3, 4, 4), torch.tensor([[0.5, -0.5, 1.0, 0.1, 0.2, 0.3]]).repeat(2, 1)
    changed = Colour().apply(image[:, None], offsets[:, None])[:, 0]
    assert torch.allclose(Colour().undo(changed, offsets), image, atol=1e-6)


def test_lost_contrast_is_not_blown_up():
    flat = Colour().undo(torch.full((1, 1, 2, 2), 0.1), torch.tensor([[-1.0, 0.0]]))
    assert torch.allclose(flat, torch.full((1, 1, 2, 2), 0.1 / SMALLEST_GAIN))
