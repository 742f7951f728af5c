"""The autoencoder: its score and its explanation against the networks' own answers."""

import pytest
import torch

from mintmark.anomaly.autoencoder import Autoencoder, fit
from mintmark.anomaly.descent import Training
from mintmark.anomaly.networks import Decoder, Encoder

TRAINING = Training(steps=200, batch_size=40, learning_rate=1e-2, weight_decay=0.0)


def fitted(normals: torch.Tensor, *, seed: int = 0) -> Autoencoder:
    return fit(normals, num_features=8, width=64, training=TRAINING, seed=seed)


@pytest.fixture(scope="module")
def detector(zeros) -> Autoencoder:
    return fitted(zeros.normals)


def test_the_score_is_the_distance_that_a_hand_counts():
    """An encoder that sees nothing, and a decoder that always draws 0.5."""
    encoder, decoder = (
        Encoder(shape=(1, 2, 1), width=2, num_features=1),
        Decoder(shape=(1, 2, 1), width=2, num_features=1),
    )
    for parameter in [*encoder.parameters(), *decoder.parameters()]:
        parameter.data.zero_()
    decoder.last.bias.data.fill_(0.5)
    detector = Autoencoder(encoder=encoder, decoder=decoder)
    images = torch.tensor([[3.5, 4.5], [0.5, 0.5]]).reshape(2, 1, 1, 2)
    torch.testing.assert_close(detector.score(images), torch.tensor([5.0, 0.0]))
    assert detector.explain(images).residual.tolist() == [[[3.0, 4.0]], [[0.0, 0.0]]]


def test_training_brings_the_reconstruction_nearer_than_the_mean_normal(detector, zeros):
    from_mean = (zeros.normals - zeros.normals.mean(dim=0)).flatten(1).norm(dim=1).mean()
    assert detector.score(zeros.normals).mean() < 0.8 * from_mean


def test_the_explanation_decodes_the_code(detector, zeros):
    explanation = detector.explain(zeros.anomalies)
    torch.testing.assert_close(explanation.reconstruction, detector.decoder(detector.encode(zeros.anomalies)))
    torch.testing.assert_close(explanation.residual, (zeros.anomalies - explanation.reconstruction).abs()[:, 0])


def test_no_bias_means_that_black_paper_encodes_to_the_origin(zeros):
    without = fit(zeros.normals, num_features=8, width=16, training=TRAINING, seed=0, bias=False)
    assert without.encode(torch.zeros(1, 1, 8, 8)).abs().max() == 0
