"""Deep SVDD: no bias, a centre away from zero, and a descent towards it."""

import pytest
import torch

from mintmark.anomaly.deep_svdd import DeepSvdd, away_from_zero, fit
from mintmark.anomaly.descent import Training

PRETRAINING = Training(steps=100, batch_size=40, learning_rate=1e-2, weight_decay=0.0)


def fitted(normals: torch.Tensor, *, steps: int) -> DeepSvdd:
    training = Training(steps=steps, batch_size=40, learning_rate=1e-3, weight_decay=0.01)
    return fit(normals, num_features=8, width=32, pretraining=PRETRAINING, training=training, seed=0)


def test_each_coordinate_of_the_centre_moves_to_its_own_side():
    centre = torch.tensor([-2.0, -0.1, -0.01, 0.0, 0.01, 0.1, 2.0])
    expected = torch.tensor([-2.0, -0.1, -0.1, 0.1, 0.1, 0.1, 2.0])
    assert torch.equal(away_from_zero(centre), expected)


def test_no_layer_has_a_bias_and_black_paper_cannot_reach_the_centre(zeros):
    detector = fitted(zeros.normals, steps=20)
    assert not [name for name, _ in detector.encoder.named_parameters() if name.endswith("bias")]
    assert detector.centre.abs().min() >= 0.1
    of_nothing = detector.score(torch.zeros(1, 1, 8, 8))
    torch.testing.assert_close(of_nothing, detector.centre.square().sum()[None])


def test_the_score_is_the_squared_distance_from_a_fixed_centre(zeros):
    detector = fitted(zeros.normals, steps=20)
    features = detector.encoder(zeros.anomalies)
    expected = torch.cdist(features, detector.centre[None])[:, 0].square()
    torch.testing.assert_close(detector.score(zeros.anomalies), expected, rtol=1e-3, atol=1e-4)
    assert torch.equal(detector.centre, fitted(zeros.normals, steps=1).centre)


def test_the_descent_draws_the_normals_towards_the_centre(zeros):
    start, end = (fitted(zeros.normals, steps=steps).score(zeros.normals).mean().item() for steps in (1, 60))
    assert end < 0.5 * start


def test_a_normal_is_explained_by_itself(zeros):
    detector = fitted(zeros.normals, steps=20)
    assert torch.equal(detector.explain(zeros.normals).reconstruction, zeros.normals)
    assert detector.explain(zeros.held_out).residual.mean().item() == pytest.approx(0.25, abs=0.2)
