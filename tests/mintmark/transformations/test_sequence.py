"""What every transformation has in common: the identity at zero, its shapes, its gradient, and several in sequence."""

import pytest
import torch
from torch.autograd import gradcheck

from mintmark.errors import BadInput
from mintmark.transformations.grids import centres, read_each
from mintmark.transformations.sequence import KNOWN, Warp, apply_all, named, undo_all

SIZE = {
    "affine": 0.1,
    "projective": 0.05,
    "thin_plate_spline": 0.02,
    "time_warp": 0.1,
    "colour": 0.3,
    "morphological": 0.5,
}


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(num, channels=1):
    """Blobs that fade before the edge, so that warps lose little."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 40), indexing="ij")
    middles = 0.4 * (seeded(num, channels, 2, seed=3) - 0.5)
    blobs = [torch.exp(-8 * ((x - one[0]) ** 2 + 2 * (y - one[1]) ** 2)) for one in middles.flatten(0, 1)]
    return torch.stack(blobs).double().unflatten(0, (num, channels))


def drawn(name, *size, channels=1):
    return SIZE[name] * (seeded(*size, KNOWN[name].num_parameters(channels), seed=1) - 0.5)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("channels", [1, 3])
def test_no_offset_is_no_change(name, channels):
    images, one = seeded(2, 1, channels, 7, 6) * 4 - 2, KNOWN[name]
    offsets = torch.zeros(2, 3, one.num_parameters(channels), dtype=torch.float64)
    assert torch.allclose(one.apply(images, offsets), images.expand(2, 3, channels, 7, 6), rtol=0, atol=1e-12)
    assert torch.allclose(one.undo(images[:, 0], offsets[:, 0]), images[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", KNOWN)
def test_gradient_is_that_of_finite_differences(name):
    images, offsets = smooth(2, channels=2)[:, None, :, ::8, ::8].clone(), drawn(name, 2, 2, channels=2)
    if name == "morphological":
        offsets = offsets.abs() + 0.01  # off the kink at 0
    assert gradcheck(KNOWN[name].apply, (images.requires_grad_(), offsets.requires_grad_()), atol=1e-6)


@pytest.mark.parametrize("name", KNOWN)
def test_every_offset_has_a_gradient_where_all_begin(name):
    one, images = KNOWN[name], seeded(3, 1, 1, 9, 9)
    target = seeded(3, 1, 1, 9, 9, seed=1)
    offsets = torch.zeros(3, 1, one.num_parameters(1), dtype=torch.float64, requires_grad=True)
    (one.apply(images, offsets) - target).square().sum().backward()
    assert offsets.grad is not None
    without = 1 if name == "morphological" else 0  # alpha weighs neighbours, of which none counts yet
    assert (offsets.grad.abs().sum(dim=(0, 1)) == 0).sum() == without


@pytest.mark.parametrize("name", KNOWN)
def test_many_of_one_image_are_each_of_its_copies(name):
    images, offsets = seeded(2, 1, 3, 7, 6), drawn(name, 2, 4, channels=3)
    together = KNOWN[name].apply(images, offsets)
    copies = KNOWN[name].apply(images.expand(2, 4, 3, 7, 6), offsets)
    alone = [[KNOWN[name].apply(images[i, None], offsets[i, None, j, None])[0, 0] for j in range(4)] for i in range(2)]
    assert together.shape == (2, 4, 3, 7, 6)
    assert torch.allclose(together, copies, atol=1e-12)
    assert torch.allclose(together, torch.stack([torch.stack(row) for row in alone]), atol=1e-12)


@pytest.mark.parametrize("name", sorted(set(KNOWN) - {"morphological"}))
def test_undo_brings_smooth_images_back(name):
    images = smooth(6, channels=2)
    offsets = 5 * drawn(name, 6, channels=2)
    changed = KNOWN[name].apply(images[:, None], offsets[:, None])[:, 0]
    error = (KNOWN[name].undo(changed, offsets) - images).square().mean()
    assert error < 0.05 * (changed - images).square().mean()


def one_by_one(chosen, images, offsets):
    for one, numbers in zip(chosen, offsets, strict=True):
        images = one.apply(images, numbers)
    return images


@pytest.mark.parametrize("names", [("colour", "affine", "morphological"), ("thin_plate_spline", "affine")])
def test_what_is_no_warp_after_straight_ones_is_applied_in_order(names):
    chosen, images = named(names), smooth(3)[:, None]
    offsets = [drawn(one.name, 3, 2) for one in chosen]
    assert torch.equal(apply_all(chosen, images, offsets), one_by_one(chosen, images, offsets))


WARPS = [("affine", "projective"), ("projective", "affine", "thin_plate_spline"), ("affine", "thin_plate_spline")]


@pytest.mark.parametrize("names", WARPS)
def test_warps_in_a_row_are_read_where_they_lead_together(names):
    chosen, images = named(names), smooth(3)[:, None]
    offsets = [4 * drawn(one.name, 3, 2) for one in chosen]
    both, apart = apply_all(chosen, images, offsets), one_by_one(chosen, images, offsets)
    swapped = one_by_one(chosen[::-1], images, offsets[::-1])
    assert not torch.equal(both, apart)  # one reading blurs less than two
    assert (both - apart).abs().max() < 0.05
    assert (both - apart).square().mean() < 0.2 * (both - swapped).square().mean()


@pytest.mark.parametrize(
    "names", [*((name,) for name in KNOWN), *WARPS, ("colour", "affine", "morphological"), ("affine", "colour")]
)
def test_every_second_row_and_column_are_those_of_the_whole(names):
    chosen, images = named(names), seeded(3, 1, 2, 9, 8)
    offsets = [drawn(one.name, 3, 2, channels=2) for one in chosen]
    whole = apply_all(chosen, images, offsets)
    assert torch.allclose(apply_all(chosen, images, offsets, step=2), whole[..., ::2, ::2], atol=1e-12)


@pytest.mark.parametrize("name", sorted(name for name, one in KNOWN.items() if isinstance(one, Warp)))
def test_a_warp_reads_at_the_sources_of_its_pixels(name):
    one, images = KNOWN[name], seeded(2, 1, 1, 7, 6)
    offsets = drawn(name, 2, 3)
    assert isinstance(one, Warp)
    places = one.source(centres(7, 6, like=offsets)[:2], offsets)
    assert torch.allclose(read_each(images, places), one.apply(images, offsets), atol=1e-12)


def test_warps_tell_themselves_from_what_changes_values():
    assert {name for name, one in KNOWN.items() if isinstance(one, Warp)} == {
        "affine",
        "projective",
        "thin_plate_spline",
        "time_warp",
    }


def test_a_sequence_is_undone_in_reverse():
    chosen, images = named(("colour", "affine", "thin_plate_spline")), smooth(3)
    offsets = [drawn(one.name, 3, 2) for one in chosen]
    by_hand = one_by_one(chosen, images[:, None], offsets)
    undone = undo_all(chosen, by_hand[:, 0], [numbers[:, 0] for numbers in offsets])
    assert (undone - images).square().mean() < 0.05 * (by_hand[:, 0] - images).square().mean()


def test_transformations_without_offsets_are_left_out():
    chosen, images = named(("affine", "colour")), seeded(2, 1, 1, 5, 5)
    offsets = drawn("affine", 2, 3)
    assert torch.equal(apply_all(chosen, images, [offsets]), chosen[0].apply(images, offsets))
    assert torch.equal(apply_all(chosen, images, []), images)


@pytest.mark.parametrize("names", [(), ("affine", "affine"), ("affine", "twist")])
def test_names_that_tell_no_sequence_are_refused(names):
    with pytest.raises(BadInput, match=r"transformations must be different ones of .*, at least one, got"):
        named(names)
