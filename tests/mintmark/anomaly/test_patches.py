"""Patches cut and stitched: closed forms, exact at every border, whatever the size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mintmark.anomaly.patches import Patching, cut, stitch
from mintmark.errors import BadInput


@st.composite
def cuts(draw) -> tuple[Patching, int, int]:
    side = draw(st.integers(1, 7))
    patching = Patching(side=side, stride=draw(st.integers(1, side)))
    return patching, draw(st.integers(side, 20)), draw(st.integers(side, 20))


@given(cuts())
def test_a_constant_stitches_to_itself(drawn):
    patching, height, width = drawn
    corners = patching.corners(height, width)
    maps = torch.full((len(corners), patching.side, patching.side), 0.7)
    assert torch.equal(stitch([(maps, corners)], height=height, width=width), torch.full((height, width), 0.7))


@given(cuts())
def test_a_picture_that_is_cut_and_stitched_is_itself(drawn):
    patching, height, width = drawn
    picture = torch.rand(1, height, width, generator=torch.Generator().manual_seed(height * width))
    corners = patching.corners(height, width)
    patches = cut(picture, corners, side=patching.side)
    torch.testing.assert_close(stitch([(patches[:, 0], corners)], height=height, width=width), picture[0])


def test_the_last_patch_ends_at_the_border():
    assert Patching(side=4, stride=3).corners(4, 9).tolist() == [[0, 0], [0, 3], [0, 5]]


def test_one_odd_patch_lights_up_where_it_lies_and_fades_where_others_overlap():
    """Patches of 4 at 0, 2 and 4 of a line of 8; the middle one is hot: its share of the pixels is a half everywhere."""
    corners = Patching(side=4, stride=2).corners(4, 8)
    maps = torch.zeros(3, 4, 4)
    maps[1] = 1.0
    assert stitch([(maps, corners)], height=4, width=8)[0].tolist() == [0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0]


def test_parts_stitch_to_the_same_as_all_at_once():
    corners = Patching(side=4, stride=2).corners(9, 10)
    maps = torch.rand(len(corners), 4, 4, generator=torch.Generator().manual_seed(0))
    parts = zip(maps.split(3), corners.split(3), strict=True)
    whole = stitch([(maps, corners)], height=9, width=10)
    assert torch.equal(stitch(parts, height=9, width=10), whole)


def test_patches_side_by_side_are_left_as_they_are():
    corners = Patching(side=2, stride=2).corners(4, 4)
    maps = torch.arange(4.0)[:, None, None].expand(4, 2, 2)
    expected = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]])
    assert torch.equal(stitch([(maps, corners)], height=4, width=4), expected)


def test_bad_input_is_refused():
    with pytest.raises(BadInput, match="picture: expected at least 4 x 4, a patch, got 3 x 9"):
        Patching(side=4, stride=2).corners(3, 9)
    with pytest.raises(BadInput, match="side: expected at least 1, got 0"):
        Patching(side=0, stride=1)
    with pytest.raises(BadInput, match="stride: expected 1 to 4, the side of a patch, got 5"):
        Patching(side=4, stride=5)
    with pytest.raises(ValueError, match="corners must cover all of 4 x 5 pixels, left out 4"):
        stitch([(torch.zeros(1, 4, 4), torch.tensor([[0, 0]]))], height=4, width=5)
