import pytest
import torch

from mintmark.gan.augmentation import Augmentation, augment, cut_out, recolour, translate

OFF = Augmentation(translation=0.0, cutout=0.0, colour=0.0)
ON = Augmentation(translation=0.25, cutout=0.5, colour=0.3)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(num=6, channels=1, height=8, width=8):
    return torch.rand((num, channels, height, width), generator=rng(9)) * 2 - 1


def test_all_off_leaves_images_as_they_are():
    images = random_images(channels=3)
    assert augment(images, OFF, rng=rng()) is images


def test_the_same_seed_augments_alike_and_another_does_not():
    images = random_images()
    assert torch.equal(augment(images, ON, rng=rng(1)), augment(images, ON, rng=rng(1)))
    assert not torch.equal(augment(images, ON, rng=rng(1)), augment(images, ON, rng=rng(2)))


def test_translation_is_one_of_the_whole_shifts_with_black_entering():
    image = random_images(num=1, height=4, width=8)
    framed = torch.nn.functional.pad(image, (2, 2, 1, 1), value=-1.0)
    shifts = [framed[..., top : top + 4, left : left + 8] for top in range(3) for left in range(5)]
    seen = set()
    for seed in range(200):
        shifted = translate(image, 0.25, rng=rng(seed))
        (which,) = [place for place, shift in enumerate(shifts) if torch.equal(shift, shifted)]
        seen.add(which)
    assert seen == set(range(15))


def test_each_image_of_a_batch_is_shifted_on_its_own():
    image = random_images(num=1)
    shifted = translate(image.expand(50, -1, -1, -1), 0.25, rng=rng())
    assert len({one.numpy().tobytes() for one in shifted}) > 10


def test_cutout_blanks_one_rectangle_of_the_stated_size_at_most():
    images = torch.ones((300, 2, 8, 12))
    cut = cut_out(images, 0.5, rng=rng())
    areas = (cut[:, 0] == 0).sum(dim=(1, 2))
    assert areas.max() == 4 * 6
    assert areas.min() >= 2 * 3  # the centre is inside, so at least a quarter is
    assert torch.equal(cut[:, 0], cut[:, 1])
    assert set(cut.unique().tolist()) == {0.0, 1.0}


def test_recolouring_moves_brightness_within_its_bound_and_keeps_a_flat_image_flat():
    flat = torch.full((200, 3, 4, 4), 0.25)
    moved = recolour(flat, 0.3, rng=rng())
    assert moved.std(dim=(1, 2, 3)).max() < 1e-6
    shifts = moved[:, 0, 0, 0] - 0.25
    assert shifts.abs().max() <= 0.3 + 1e-6
    assert shifts.std().item() == pytest.approx(0.3 / 3**0.5, abs=0.03)


def test_colour_touches_three_channels_only():
    only = Augmentation(translation=0.0, cutout=0.0, colour=0.5)
    for channels, changed in [(1, False), (2, False), (3, True), (4, False)]:
        images = random_images(channels=channels)
        assert torch.equal(augment(images, only, rng=rng()), images) is not changed


def test_gradients_reach_the_images():
    images = random_images(channels=3).requires_grad_()
    augment(images, Augmentation(translation=0.25, cutout=0.0, colour=0.3), rng=rng()).square().sum().backward()
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("key", ["translation", "cutout", "colour"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_strengths_outside_zero_to_one_are_refused(key, value):
    with pytest.raises(ValueError, match=f"{key} must lie between 0 and 1"):
        Augmentation(**({"translation": 0.0, "cutout": 0.0, "colour": 0.0} | {key: value}))


def test_a_probability_picks_images_one_by_one_and_leaves_the_others_as_they_are():
    images = torch.rand((400, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    strong = Augmentation(translation=0.0, cutout=0.5, colour=0.0)
    for probability, low, high in ((0.0, 0.0, 0.0), (0.3, 0.2, 0.4), (1.0, 1.0, 1.0)):
        found = augment(images, strong, probability=probability, rng=torch.Generator().manual_seed(1))
        share = (found != images).flatten(1).any(dim=1).float().mean()
        assert low <= share <= high
