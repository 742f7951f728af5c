"""Pixel centres by hand, and reading that keeps each image's places apart."""

import torch

from mintmark.transformations.grids import centres, read, read_each


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def test_centres_run_row_by_row_between_the_outer_edges():
    assert centres(2, 4, like=torch.zeros(1)).tolist() == [
        [-0.75, -0.25, 0.25, 0.75, -0.75, -0.25, 0.25, 0.75],
        [-0.5] * 4 + [0.5] * 4,
        [1.0] * 8,
    ]


def test_places_between_pixels_are_means_and_outside_is_zero():
    image = torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)
    places = torch.tensor([[0.0, 2.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert read(image, places).flatten().tolist() == [2.0, 0.0]


def test_one_image_read_in_many_ways_is_its_copies_read_in_one_way_each():
    images, places = seeded(2, 1, 3, 4, 5), 2 * seeded(2, 6, 2, 20, seed=1) - 1
    assert torch.allclose(read_each(images, places), read_each(images.expand(2, 6, 3, 4, 5), places), atol=1e-6)
    assert torch.equal(read_each(images, places), read(images[:, 0], places))
