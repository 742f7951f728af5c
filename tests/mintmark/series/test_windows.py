"""Windowed detectors: a network that is known exactly shows the arithmetic; trained ones find faults and say where."""

from functools import partial

import numpy as np
import pytest
import torch

from mintmark.errors import BadInput
from mintmark.series import autoencoder, gan, vae
from mintmark.series.reconstruction import Recipe
from mintmark.series.windows import cut, fit

RECIPE = Recipe(steps=150, batch_size=64, learning_rate=1.0e-2, width=32, code=3)
TRAINERS = {
    "autoencoder": partial(autoencoder.train, recipe=RECIPE, seed=0),
    "vae": partial(vae.train, recipe=RECIPE, seed=0),
    "gan": partial(gan.train, recipe=RECIPE, feature_weight=1.0, seed=0),
}


class Nought:
    """Expects every value to be the mean."""

    def reconstruct(self, windows: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(windows)

    def residuals(self, windows: torch.Tensor) -> torch.Tensor:
        return windows.abs()


def waves(num: int = 600, seed: int = 0) -> np.ndarray:
    """Two channels: waves of 20 rows, in units far apart, with noise."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(num) / 20
    clean = np.stack([5 + np.sin(phase), 1000 * np.cos(phase)], axis=1)
    return clean + rng.normal(size=(num, 2)) * [0.05, 50]


def test_windows_are_every_stretch_in_the_order_of_their_ends():
    values = np.arange(10.0).reshape(5, 2)
    windows = cut(values, length=3)
    assert windows.shape == (3, 3, 2)
    np.testing.assert_array_equal(windows[1].numpy(), values[1:4])


def test_a_score_is_the_window_s_error_standardised_by_the_probation_s_last_quarter():
    values = np.random.default_rng(1).normal(size=(60, 2)) * [1.0, 30.0] + [4.0, -7.0]
    detector = fit(values, num_normal=40, length=4, train=lambda windows: Nought())
    scaled = ((values - values[:40].mean(axis=0)) / values[:40].std(axis=0)) ** 2
    errors = np.array([scaled[row - 3 : row + 1].mean() for row in range(3, 60)])
    left = errors[27:37]  # 37 windows end within the probation; a network learns 27 of them
    np.testing.assert_allclose(detector.score(values)[3:], (errors - left.mean()) / left.std(), rtol=1e-4, atol=1e-4)
    assert (detector.score(values)[:3] == 0).all()


def test_only_the_first_three_quarters_of_the_probation_are_learned():
    seen = []
    fit(waves(), num_normal=47, length=8, train=lambda windows: seen.append(len(windows)) or Nought())
    assert seen == [30]


@pytest.mark.parametrize("train", TRAINERS.values(), ids=TRAINERS)
def test_a_fault_in_one_channel_is_found_and_located(train):
    values = waves()
    faulty = values.copy()
    faulty[450, 1] += 3000.0
    detector = fit(faulty, num_normal=300, length=16, train=train)
    scores = detector.score(faulty)
    assert scores[450:466].min() > scores[:450].max()
    explanation = detector.explain(faulty, row=458)
    assert (explanation.first, explanation.channel, explanation.row) == (443, 1, 450)
    assert abs(explanation.expected[7, 1] - values[450, 1]) < 1500.0


@pytest.mark.parametrize("train", TRAINERS.values(), ids=TRAINERS)
def test_a_score_uses_no_value_behind_its_row(train):
    values = waves()
    other = np.where(np.arange(600)[:, None] < 400, values, 0.0)
    first, second = (fit(some, num_normal=200, length=16, train=train).score(some)[:400] for some in (values, other))
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("train", TRAINERS.values(), ids=TRAINERS)
def test_the_residuals_of_an_explanation_average_to_the_score(train):
    detector = fit(waves(), num_normal=200, length=16, train=train)
    score = detector.score(waves())[300]
    error = detector.explain(waves(), row=300).residual.mean()
    assert (error - detector.centre) / detector.spread == pytest.approx(score, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("train", TRAINERS.values(), ids=TRAINERS)
def test_a_flat_series_scores_alike_everywhere(train):
    scores = fit(np.full((100, 1), 45.0), num_normal=40, length=8, train=train).score(np.full((100, 1), 45.0))
    np.testing.assert_allclose(scores[7:], scores[7], atol=1e-3)


def test_a_series_with_other_channels_is_refused():
    detector = fit(waves(), num_normal=40, length=8, train=lambda windows: Nought())
    with pytest.raises(BadInput, match="expected 2 channels, as fitted, got 1"):
        detector.score(waves()[:, :1])


@pytest.mark.parametrize("length", [1, 34])
def test_a_probation_too_short_for_its_windows_is_refused(length: int):
    with pytest.raises(BadInput, match=f"length: expected 2 to 33, for eight windows of the probation, got {length}"):
        fit(waves(), num_normal=40, length=length, train=lambda windows: Nought())


@pytest.mark.parametrize("row", [6, 600])
def test_a_row_where_no_window_ends_cannot_be_explained(row: int):
    detector = fit(waves(), num_normal=40, length=8, train=lambda windows: Nought())
    with pytest.raises(BadInput, match=f"expected 7 to 599, where a window ends, got {row}"):
        detector.explain(waves(), row=row)


def test_a_hole_is_refused():
    values = waves()
    values[5, 1] = np.nan
    with pytest.raises(BadInput, match="row 5 is none"):
        fit(values, num_normal=40, length=8, train=lambda windows: Nought())
