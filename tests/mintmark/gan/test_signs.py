"""Collapse and divergence are named, and sound generators are not."""

import math

import numpy as np
import pytest
import torch

from mintmark.gan.history import COLUMNS
from mintmark.gan.signs import convergence_signs, coverage_signs, spread_signs


@pytest.fixture
def parts(digits):
    """Training, validation and fresh real records: 600, 300 and 600 of ten classes."""
    rows = np.random.default_rng(0).permutation(len(digits))
    return [digits.take(np.sort(some)).tensors() for some in (rows[:600], rows[600:900], rows[900:1500])]


def collapse_findings(parts, samples, codes, classes=tuple("0123456789")):
    (known, known_codes), (validation, _), _ = parts
    signs = [coverage_signs(validation, samples, known), spread_signs(samples, codes, known, known_codes, classes)]
    return [sentence for one in signs for sentence in one.findings]


def test_real_records_that_pose_as_samples_are_not_accused(parts):
    assert collapse_findings(parts, *parts[2]) == []


def test_a_generator_of_one_image_a_class_is_named_twice(parts):
    (known, known_codes), _, (_, codes) = parts
    firsts = torch.stack([known[known_codes == code][0] for code in range(10)])
    found = collapse_findings(parts, firsts[codes], codes)
    assert len(found) == 2
    assert found[0].startswith("The generator misses modes: its images come near ")
    assert "draws nearly one image of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9:" in found[1]


def test_a_single_shrunk_class_is_named_alone(parts):
    _, _, (samples, codes) = parts
    shrunk = samples.clone()
    shrunk[codes == 3] = samples[codes == 3][0]
    (sentence,) = collapse_findings(parts, shrunk, codes)
    assert "draws nearly one image of 3:" in sentence


def test_noise_misses_every_mode(parts):
    _, _, (samples, codes) = parts
    noise = torch.rand(samples.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    (sentence,) = collapse_findings(parts, noise, codes)
    assert "come near 0% of the validation images" in sentence


def test_the_spread_is_a_share_of_variances_by_hand():
    known = torch.tensor([0.0, 0, 2, 2, 2, 0] + [5.0] * 6 + [1.0, 2.0])[:, None, None, None]
    codes = torch.tensor([0] * 6 + [1] * 6 + [2] * 2)
    samples = known * 0.5
    median, least = spread_signs(samples, codes, known, codes, ("a", "constant", "few")).measurements
    assert median.value == least.value == pytest.approx(0.25)
    assert least.n == 1  # a class without variance, or with few records, has no share


def test_without_records_to_compare_nothing_is_claimed():
    one = torch.zeros(1, 1, 2, 2)
    codes = torch.zeros(1, dtype=torch.int64)
    for signs in (coverage_signs(one, one, one), spread_signs(one, codes, one, codes, ("a",))):
        assert signs.findings == ()
        assert all(measurement.value is None for measurement in signs.measurements)


def history(gaps):
    rows = torch.zeros((len(gaps), len(COLUMNS)), dtype=torch.float64)
    rows[:, COLUMNS.index("real_logit")] = torch.tensor(gaps, dtype=torch.float64)
    return rows


@pytest.mark.parametrize(
    ("gaps", "growth", "accused"),
    [
        ([0.5, 0.5, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0], 4.0, True),
        ([0.5, 0.5, 1.0, 1.0, 2.0, 2.0, -4.0, -4.0], 4.0, True),
        ([0.5, 0.5, 2.0, 2.0, 2.0, 2.0, 4.0, 4.0], 2.0, False),
        ([0.0, 0.0, 0.01, 0.01, 0.0, 0.0, 0.1, 0.1], 10.0, False),
        ([9.0, 9.0, 4.0, 4.0, 1.0, 1.0, 1.0, 1.0], 0.25, False),
    ],
)
def test_players_that_drift_apart_are_named(gaps, growth, accused):
    signs = convergence_signs(history(gaps))
    assert signs.measurements[1].value == pytest.approx(growth)
    assert [one.startswith("The training does not converge") for one in signs.findings] == [True] * accused


def test_a_short_history_or_an_exact_one_tells_nothing():
    assert [one.value for one in convergence_signs(history([1.0] * 7)).measurements] == [None, None]
    gap, growth = convergence_signs(history([0.0] * 8)).measurements
    assert gap.value == 0
    assert growth.value is None
    assert not math.isnan(gap.value)
