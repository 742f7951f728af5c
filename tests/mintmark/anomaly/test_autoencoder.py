"""The autoencoder: its score against the networks' own answers, and that it ranks real digits."""

import pytest
import torch

from mintmark.anomaly.autoencoder import Autoencoder, fit
from mintmark.anomaly.descent import Training
from mintmark.anomaly.networks import Decoder, Encoder
from mintmark.errors import BadInput

TRAINING = Training(steps=200, batch_size=40, learning_rate=1e-2, weight_decay=0.0)


def fitted(normals: torch.Tensor, *, seed: int = 0) -> Autoencoder:
    return fit(normals, num_features=8, width=64, training=TRAINING, seed=seed)


@pytest.fixture(scope="module")
def detector(zeros) -> Autoencoder:
    return fitted(zeros.normals)


def test_other_digits_score_above_held_out_ones_of_the_class(detector, zeros):
    assert zeros.auroc(detector) > 0.95


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


def test_a_score_does_not_depend_on_what_is_scored_beside_it(detector, zeros):
    together = detector.score(zeros.anomalies)
    apart = torch.cat([detector.score(some) for some in zeros.anomalies.split([1, 7, 292])])
    torch.testing.assert_close(apart, together, rtol=1e-4, atol=1e-5)
    assert together.unique().numel() > 290


def test_the_same_seed_gives_the_same_scores_and_another_one_others(detector, zeros):
    torch.randn(3)  # what else the process draws is without effect
    assert torch.equal(fitted(zeros.normals).score(zeros.anomalies), detector.score(zeros.anomalies))
    assert not torch.equal(fitted(zeros.normals, seed=1).score(zeros.anomalies), detector.score(zeros.anomalies))


def test_no_bias_means_that_black_paper_encodes_to_the_origin(zeros):
    without = fit(zeros.normals, num_features=8, width=16, training=TRAINING, seed=0, bias=False)
    assert without.encode(torch.zeros(1, 1, 8, 8)).abs().max() == 0


def test_bad_input_is_refused(detector):
    for ask in (detector.score, detector.explain, detector.encode):
        with pytest.raises(BadInput, match=r"\(8, 8, 1\), the normals', got \(9, 8, 1\)"):
            ask(torch.zeros(2, 1, 9, 8))
    with pytest.raises(BadInput, match="normals: expected at least 2, got 1"):
        fitted(torch.zeros(1, 1, 8, 8))
    broken = torch.zeros(5, 1, 8, 8)
    broken[3, 0, 0, 0] = torch.nan
    with pytest.raises(BadInput, match="expected finite pixels, got NaN or infinity in row 3"):
        fitted(broken)
