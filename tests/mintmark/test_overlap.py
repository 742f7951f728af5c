"""The pass over balls: exact against all pairs measured one by one, even where the matrix product cannot tell."""

import subprocess
import sys
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mintmark.neighbours import overlap

ROOT = Path(__file__).resolve().parents[2]


def one_by_one(left, right, left_radii, right_radii):
    distances = torch.stack([torch.linalg.vector_norm(point - right, dim=1) for point in left])
    inside = distances <= left_radii[:, None]
    return inside.sum(dim=1), inside.sum(dim=0), (distances <= right_radii).sum(dim=1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 9, 100, 1 << 19]),
    st.sampled_from([0.0, 1e3, 1e6]),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_counts_equal_those_of_all_pairs_whatever_the_tile_and_wherever_the_points_lie(seed, tile, offset, dtype):
    generator = torch.Generator().manual_seed(seed)
    left = (torch.randint(0, 4, (11, 3), generator=generator) + offset).to(dtype)  # ties and repeats abound
    right = (torch.randint(0, 4, (8, 3), generator=generator) + offset).to(dtype)
    left_radii = torch.randint(0, 10, (11,), generator=generator).to(dtype).sqrt()
    right_radii = torch.randint(0, 10, (8,), generator=generator).to(dtype).sqrt()
    found = overlap(left, right, left_radii=left_radii, right_radii=right_radii, tile_elements=tile)
    for ours, theirs in zip(found, one_by_one(left, right, left_radii, right_radii), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_a_radius_of_one_rounding_less_leaves_the_point_outside():
    left, right = torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([[7.3, 5.9, 0.7]])
    radius = torch.linalg.vector_norm(left - right, dim=1)
    less = torch.nextafter(radius, torch.zeros(1))
    nothing = torch.zeros(1)
    assert overlap(left, right, left_radii=radius, right_radii=nothing).in_left_ball.tolist() == [1]
    assert overlap(left, right, left_radii=less, right_radii=nothing).in_left_ball.tolist() == [0]


GROWTH = """
import resource, torch
torch.set_num_threads(1)
from mintmark.neighbours import overlap
points = torch.rand(10_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
overlap(points[:500], points[:500], left_radii=torch.ones(500).double(), right_radii=torch.ones(500).double())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
radii = torch.full((10_000,), 0.01, dtype=torch.float64)
overlap(points, points, left_radii=radii, right_radii=radii)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_number_of_pairs():
    command = [sys.executable, "-c", GROWTH]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 100e6  # all distances at once would take 800 MB


def test_nothing_holds_nothing():
    found = overlap(torch.zeros(0, 2), torch.ones(3, 2), left_radii=torch.zeros(0), right_radii=torch.ones(3))
    assert [part.tolist() for part in found] == [[], [0, 0, 0], []]
