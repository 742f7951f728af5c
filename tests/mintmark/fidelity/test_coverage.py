"""Coverage, recall, precision and density: by hand, and against the definitions written out densely."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mintmark.fidelity.coverage import compare, covered_by, radii


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def densely(real, synthetic, k):
    """The four definitions, one record at a time, from all distances at once."""

    def distance(a, b):
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))

    def width(points):
        return np.sort(distance(points, points), axis=1)[:, k]  # 0 is the point itself

    real_width, synthetic_width, between = width(real), width(synthetic), distance(real, synthetic)
    covered = [min(between[i]) <= real_width[i] for i in range(len(real))]
    recalled = [any(between[i, j] <= synthetic_width[j] for j in range(len(synthetic))) for i in range(len(real))]
    precise = [any(between[i, j] <= real_width[i] for i in range(len(real))) for j in range(len(synthetic))]
    density = [sum(between[i, j] <= real_width[i] for i in range(len(real))) / k for j in range(len(synthetic))]
    return covered, recalled, precise, density


def test_four_measures_by_hand():
    real, synthetic = column(0.0, 1.0, 9.0), column(0.5, 1.0, 100.0)
    found = compare(real, synthetic, k=1)
    assert radii(real, k=1).tolist() == [1.0, 1.0, 8.0]
    assert radii(synthetic, k=1).tolist() == [0.5, 0.5, 99.0]
    assert found.covered.tolist() == [True, True, True]  # 9 reaches 1: its ball is 8 wide, and ties are inside
    assert found.recalled.tolist() == [True, True, True]  # 0 and 1 by 0.5; 9 by 100, whose ball is 99 wide
    assert found.precise.tolist() == [True, True, False]
    assert found.density.tolist() == [2.0, 3.0, 0.0]


@settings(max_examples=30, deadline=None)
@example(382, 1, 1)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 40))
def test_pass_agrees_with_the_dense_definitions_whatever_the_tile(seed, k, tile):
    rng = np.random.default_rng(seed)
    real, synthetic = (rng.integers(0, 6, (num, 3)).astype(float) for num in (12, 9))  # ties and repeats abound
    found = compare(torch.from_numpy(real), torch.from_numpy(synthetic), k=k, tile_elements=tile)
    expected = densely(real, synthetic, k)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.tolist() == pytest.approx(theirs)


def test_copies_of_the_real_records_are_perfect_but_for_nothing():
    real = torch.rand(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = compare(real, real.clone(), k=3)
    assert found.covered.all()
    assert found.recalled.all()
    assert found.precise.all()


def test_one_spot_is_precise_and_recalls_nothing():
    real = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = compare(real, real[:1].repeat(10, 1), k=3)
    assert found.precise.all()
    assert found.recalled.double().mean() == pytest.approx(1 / 50)
    assert found.covered.double().mean() < 0.3


def test_covered_by_agrees_with_the_pass_and_nothing_covers_nothing():
    rng = torch.Generator().manual_seed(0)
    real, synthetic = (torch.rand(30, 2, dtype=torch.float64, generator=rng) for _ in range(2))
    widths = radii(real, k=2)
    assert torch.equal(covered_by(real, synthetic, widths), compare(real, synthetic, k=2).covered)
    assert not covered_by(real, synthetic[:0], widths).any()


def test_too_few_records_for_their_neighbours_are_refused():
    with pytest.raises(ValueError, match="k must be between 1 and the 2 reference points, got 3"):
        compare(column(0.0, 1.0, 2.0), column(0.0, 1.0, 2.0, 3.0), k=3)
