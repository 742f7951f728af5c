"""RandAugment: what its operations do, that images draw apart, and that chance comes from the generator alone."""

import pytest
import torch
from kornia.enhance import posterize, solarize

from mintmark.classify.augmentation import Augmentation, bend
from mintmark.classify.policy import _TONE, BLACK, OPERATIONS, _toned, _warped, rand_augment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(num: int = 6, channels: int = 1, height: int = 8, width: int = 8) -> torch.Tensor:
    return torch.rand((num, channels, height, width), generator=generator(9)) * 2 - 1


def alone(name: str, images: torch.Tensor, signed: float) -> torch.Tensor:
    """All images through one operation."""
    chosen = torch.full((len(images),), OPERATIONS.index(name))
    amounts = torch.full((len(images),), signed)
    return _toned(_warped(images, chosen, amounts), chosen, amounts)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_but_identity_changes_pictures_and_stays_in_range(name: str, channels: int):
    images = pictures(channels=channels, height=6, width=10)
    changed = alone(name, images, 0.8)
    assert changed.shape == images.shape
    assert float(changed.min()) >= -1 - 1e-5
    assert float(changed.max()) <= 1 + 1e-5
    assert torch.equal(changed, images) == (name == "identity")


@pytest.mark.parametrize("name", [one for one in OPERATIONS if one not in {"identity", "autocontrast"}])
def test_no_strength_changes_next_to_nothing(name: str):
    images = pictures()
    assert torch.allclose(alone(name, images, 0.0), images, atol=1 / 127)  # posterising rounds to whole levels


def test_shifts_move_along_their_axis_and_bring_in_black():
    images = torch.full((1, 1, 8, 8), 1.0)
    right = alone("shift_x", images, -1.0)  # 0.3 of eight columns
    assert torch.allclose(right[..., :2], torch.tensor(BLACK), atol=1e-5)
    assert torch.allclose(right[..., 3:], torch.tensor(1.0), atol=1e-5)
    assert torch.equal(alone("shift_y", images, -1.0), right.transpose(2, 3))


def test_tones_agree_with_kornia_s():
    light = (pictures() + 1) / 2
    strength = torch.full((6, 1, 1, 1), 0.5)
    assert torch.allclose(_TONE["solarise"](light, strength), solarize(light, 0.5), atol=1e-6)
    assert torch.allclose(_TONE["posterise"](light, strength), posterize(light, 6), atol=2 / 255)


def test_each_image_draws_for_itself_and_the_same_seed_draws_the_same():
    images = pictures(num=1).expand(300, -1, -1, -1)
    first, second = (rand_augment(images, operations=1, magnitude=0.7, generator=generator(4)) for _ in range(2))
    assert torch.equal(first, second)
    assert len(torch.unique(first.flatten(1), dim=0)) > len(OPERATIONS)  # most have two directions
    untouched = (first == images).flatten(1).all(dim=1).float().mean()
    assert 0.02 < float(untouched) < 0.2  # one operation in twelve is none


def test_more_operations_touch_more_images_and_the_global_state_stays():
    images, before = pictures(num=200), torch.get_rng_state()
    kept = [
        float(
            (rand_augment(images, operations=num, magnitude=0.5, generator=generator()) == images)
            .flatten(1)
            .all(1)
            .sum()
        )
        for num in (0, 1, 3)
    ]
    assert kept[0] == 200 > kept[1] > kept[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_part_of_an_augmentation():
    images = pictures()
    bent = bend(images, Augmentation(operations=2, magnitude=0.5), generator=generator())
    assert not torch.equal(bent, images)
    with pytest.raises(ValueError, match=r"magnitude must lie in 0..1, got 1.5"):
        Augmentation(operations=2, magnitude=1.5)
