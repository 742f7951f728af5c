"""A picture and its heat beside each other: cold places are left as they are."""

import numpy as np
import torch

from mintmark.anomaly.overlays import GAP, Scale, overlay, scale_of

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 5, 1)).astype(np.uint8)


def test_without_heat_both_sides_are_the_picture():
    drawn = overlay(PICTURE, torch.zeros(6, 5), scale=Scale(cold=0.0, hot=1.0))
    assert drawn.shape == (6, 5 + GAP + 5, 3)
    assert (drawn[:, :5] == PICTURE).all()
    assert (drawn[:, 5 + GAP :] == PICTURE).all()


def test_heat_covers_its_place_alone():
    heat = torch.zeros(6, 5)
    heat[2, 3] = 5.0
    colour = PICTURE.repeat(3, axis=2)
    drawn = overlay(colour, heat, scale=Scale(cold=0.0, hot=1.0))
    changed = (drawn[:, 5 + GAP :] != colour).any(axis=2)
    assert changed[2, 3]
    assert changed.sum() == 1
    expected = 0.2 * colour[2, 3] + 0.8 * np.array([252, 255, 164])  # inferno's last colour
    assert np.abs(drawn[2, 5 + GAP + 3] - expected).max() <= 1.5


def test_the_scale_is_that_of_good_pictures():
    heats = [torch.arange(50.0).reshape(5, 10), torch.arange(50.0, 101.0).reshape(3, 17)]
    assert scale_of(heats) == Scale(cold=99.0, hot=100.0)


def test_good_pictures_without_any_heat_have_a_scale():
    assert scale_of([torch.zeros(4, 4)]) == Scale(cold=0.0, hot=1.0)
