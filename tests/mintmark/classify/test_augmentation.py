"""Augmentation: what it does to a picture, and that chance comes from the generator alone."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kornia.geometry import warp_affine

from mintmark.classify.augmentation import BLACK, PLAIN, Augmentation, bend, mix


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(num: int = 5, channels: int = 1, height: int = 8, width: int = 8) -> torch.Tensor:
    return torch.rand((num, channels, height, width), generator=generator(9)) * 2 - 1


def test_no_augmentation_changes_nothing():
    images = pictures()
    assert torch.equal(bend(images, PLAIN, generator=generator()), images)


def test_a_flip_that_is_certain_mirrors_left_and_right():
    images = pictures(height=6, width=10)
    flipped = bend(images, Augmentation(flip=1.0), generator=generator())
    assert torch.allclose(flipped, images.flip(3), atol=1e-5)


def test_every_other_image_is_flipped_at_one_half():
    images = pictures(num=1000)
    flipped = bend(images, Augmentation(flip=0.5), generator=generator())
    kept = (flipped - images).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert 0.45 < float(kept.float().mean()) < 0.55


def test_a_shift_stays_within_its_share_and_brings_in_black():
    images = torch.full((500, 1, 8, 8), 1.0)
    shifted = bend(images, Augmentation(shift=0.25), generator=generator())
    lost = (1 - (shifted - BLACK).mean(dim=(1, 3)) / 2).sum(dim=1)  # rows' worth of light that left the picture
    assert float(lost.min()) >= -1e-5
    assert 3.0 < float(lost.max()) <= 4.0 + 1e-4  # two of eight rows, and two of eight columns, at most


@pytest.mark.parametrize("size", [(8, 8), (6, 12)])
def test_a_rotation_agrees_with_kornia_s(size: tuple[int, int]):
    height, width = size
    image = pictures(num=1, height=height, width=width)
    turned = bend(image, Augmentation(rotation=90.0), generator=generator(3))
    angle = float(torch.rand((7, 1), generator=generator(3))[0, 0] * 2 - 1) * 90
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (width - 1) / 2, (height - 1) / 2  # source = R (target - centre) + centre; kornia takes the inverse
    matrix = torch.tensor([[[cos, sin, x - cos * x - sin * y], [-sin, cos, y + sin * x - cos * y]]])
    expected = warp_affine(image - BLACK, matrix, size, padding_mode="zeros", align_corners=True) + BLACK
    assert torch.allclose(turned, expected, atol=1e-4)


def test_a_larger_scale_spreads_what_is_drawn():
    image = torch.full((200, 1, 16, 16), BLACK)
    image[:, :, 6:10, 6:10] = 1.0
    light = (bend(image, Augmentation(scale=0.5), generator=generator()) - BLACK).sum(dim=(1, 2, 3)) / 2
    assert 16 * 0.5**2 * 0.8 < float(light.min()) < 8
    assert 28 < float(light.max()) < 16 * 1.5**2 * 1.2


def test_a_cutout_blackens_a_square_of_its_side_and_nothing_else():
    images = torch.full((300, 2, 12, 12), 0.5)
    cut = bend(images, Augmentation(cutout=0.25), generator=generator())
    holes = cut == BLACK
    assert torch.equal(cut[~holes], images[~holes])
    assert int(holes[:, 0].sum(dim=(1, 2)).max()) == 9  # 3x3 of 12x12, less where it hangs over the edge
    assert torch.equal(holes[:, 0], holes[:, 1])


def test_mixing_keeps_the_weights_of_images_and_labels_together():
    images = torch.arange(6.0)[:, None, None, None].expand(6, 1, 4, 4) / 6
    labels = torch.eye(6)
    mixed, soft = mix(images, labels, strength=0.4, generator=generator(1))
    assert torch.allclose(soft.sum(dim=1), torch.ones(6))
    assert torch.allclose(mixed[:, 0, 0, 0], soft @ (torch.arange(6.0) / 6), atol=1e-6)
    assert not torch.equal(soft, labels)


def test_the_mixing_weight_follows_its_beta_distribution():
    weights = []
    stream = generator(2)
    for _ in range(400):
        _, soft = mix(torch.zeros(2, 1, 1, 1), torch.eye(2), strength=0.5, generator=stream)
        weights.append(float(soft[0, 0]))
    spread = np.array(weights)
    # P(w < 0.1 or w > 0.9) = 0.41 for Beta(1/2, 1/2), plus half of the draws in which nobody is exchanged
    assert 0.6 < float(np.mean((spread < 0.1) | (spread > 0.9))) < 0.8


@given(seed=st.integers(0, 2**31), flip=st.floats(0, 1), rotation=st.floats(0, 180), cutout=st.floats(0, 1))
def test_the_same_generator_bends_in_the_same_way_and_within_range(seed, flip, rotation, cutout):
    augmentation = Augmentation(shift=0.2, flip=flip, rotation=rotation, cutout=cutout, scale=0.2)
    images = pictures()
    first, second = (bend(images, augmentation, generator=generator(seed)) for _ in range(2))
    assert torch.equal(first, second)
    assert float(first.min()) >= -1.0 - 1e-5
    assert float(first.max()) <= 1.0 + 1e-5


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    images = bend(pictures(), Augmentation(shift=0.1, cutout=0.2), generator=generator())
    mix(images, torch.eye(5), strength=0.3, generator=generator())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "value"), [("shift", 1.5), ("rotation", -1.0), ("flip", 2.0), ("scale", 1.0)])
def test_a_value_out_of_range_is_named(name: str, value: float):
    with pytest.raises(ValueError, match=f"{name} must lie in"):
        replace(Augmentation(), **{name: value})
