"""The combination: surprises counted by hand, p-values of fresh normals, and how little a useless member harms."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from mintmark.anomaly import nearest, pca
from mintmark.anomaly.combination import fit, refer
from mintmark.anomaly.detector import Explanation, explained
from mintmark.errors import BadInput


class Brightness(NamedTuple):
    """Scores an image by its mean pixel, and expects `level` everywhere."""

    level: float = 0.0

    @property
    def kind(self) -> str:
        return "brightness"

    def score(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(1, 2, 3))

    def explain(self, images: torch.Tensor) -> Explanation:
        return explained(images, torch.full_like(images, self.level))


def flat(levels: torch.Tensor) -> torch.Tensor:
    return levels.reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def test_the_surprise_is_the_one_counted_by_hand():
    """Of the scores 1 to 20 the tail holds 19 and 20: its edge is 18, its mean excess 1.5."""
    reference = refer(torch.arange(1.0, 21.0).flip(0), kind="any")
    assert (reference.edge, reference.excess) == (18.0, 1.5)
    found = reference.surprise(torch.tensor([-5.0, 1.0, 1.5, 18.0, 19.5, 33.0]))
    p_values = torch.tensor([21, 21, 20, 4, 4, 4]) / 21
    torch.testing.assert_close(found, -p_values.log() + torch.tensor([0, 0, 0, 0, 1.0, 10.0]))


def test_fresh_normals_have_p_values_that_are_uniform_inside_and_in_an_exponential_tail():
    rng = np.random.default_rng(0)
    reference = refer(torch.from_numpy(rng.exponential(size=4000)), kind="any")
    p_values = (-reference.surprise(torch.from_numpy(rng.exponential(size=4000)))).exp()
    for rate in (0.5, 0.1, 0.02):
        assert (p_values <= rate).double().mean().item() == pytest.approx(rate, rel=0.2)


def test_the_score_is_the_mean_surprise_and_the_explanation_the_mean_expectation():
    held_out = flat(torch.arange(1.0, 21.0))
    combined = fit(held_out, detectors=[Brightness(0.0), Brightness(1.0)])
    images = flat(torch.tensor([2.0, 30.0]))
    torch.testing.assert_close(combined.score(images), combined.references[0].surprise(torch.tensor([2.0, 30.0])))
    assert combined.explain(images).reconstruction.unique().tolist() == [0.5]


def test_it_ranks_real_digits_and_a_detector_of_brightness_does_little_harm(zeros):
    fitted, held_out = zeros.normals[:90], zeros.normals[90:]
    able = [pca.fit(fitted, num_components=10), nearest.fit(fitted, num_neighbours=3)]
    alone, together = (fit(held_out, detectors=members) for members in (able, [*able, Brightness()]))
    assert zeros.auroc(alone) > 0.95
    assert zeros.auroc(together) > 0.9
    assert zeros.auroc(Brightness()) < 0.7


def test_a_score_does_not_depend_on_what_is_scored_beside_it(zeros):
    combined = fit(zeros.normals[90:], detectors=[pca.fit(zeros.normals[:90], num_components=10)])
    together = combined.score(zeros.anomalies)
    apart = torch.cat([combined.score(some) for some in zeros.anomalies.split([1, 7, 292])])
    torch.testing.assert_close(apart, together, rtol=1e-4, atol=1e-4)


def test_bad_input_is_refused():
    with pytest.raises(BadInput, match="detectors: expected at least one, got none"):
        fit(flat(torch.arange(30.0)), detectors=[])
    with pytest.raises(BadInput, match="held_out: expected at least 20 normals, got 19"):
        fit(flat(torch.arange(19.0)), detectors=[Brightness()])
    with pytest.raises(BadInput, match="got a brightness whose 4 highest are the same"):
        fit(flat(torch.zeros(30)), detectors=[Brightness()])
