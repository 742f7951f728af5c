"""The variational autoencoder: its formulas against PyTorch's own densities, and scores counted by hand."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from mintmark.anomaly.descent import Training
from mintmark.anomaly.networks import Decoder, Encoder
from mintmark.anomaly.vae import LEAST_VARIANCE, Vae, bound, divergence, fit

RNG = torch.Generator().manual_seed(0)


def test_the_divergence_is_that_of_pytorch_s_normals():
    means, log_variances = torch.randn(6, 4, generator=RNG), torch.randn(6, 4, generator=RNG)
    posterior = Normal(means, (log_variances / 2).exp())
    expected = kl_divergence(posterior, Normal(torch.zeros(()), torch.ones(()))).sum(dim=1)
    torch.testing.assert_close(divergence(means, log_variances), expected)


def test_the_bound_is_the_evidence_at_the_most_likely_variance():
    """No variance of the pixels makes the negative bound of 5 images of 6 values lower."""
    images, drawn = torch.randn(5, 1, 2, 3, generator=RNG), torch.randn(5, 1, 2, 3, generator=RNG)
    means, log_variances = torch.randn(5, 2, generator=RNG), torch.randn(5, 2, generator=RNG)
    spreads = torch.linspace(0.5, 3.0, 500)
    evidence = torch.stack([Normal(drawn, spread).log_prob(images).sum(dim=(1, 2, 3)).mean() for spread in spreads])
    lowest = ((divergence(means, log_variances).mean() - evidence) / 6).min()
    constant = math.log(2 * math.pi) / 2 + 0.5
    torch.testing.assert_close(bound(images, drawn, means, log_variances) + constant, lowest, rtol=1e-4, atol=1e-4)


def test_the_score_is_the_one_counted_by_hand():
    """A code of mean 2 and variance e whatever the image, and a decoder that draws half the code's mean."""
    encoder, decoder = (
        Encoder(shape=(1, 2, 1), width=2, num_features=2),
        Decoder(shape=(1, 2, 1), width=2, num_features=1),
    )
    for parameter in [*encoder.parameters(), *decoder.parameters()]:
        parameter.data.zero_()
    encoder.last.bias.data.copy_(torch.tensor([2.0, 1.0]))
    decoder.first.weight.data.fill_(1.0)
    decoder.second.weight.data.fill_(1.0)
    decoder.last.weight.data.fill_(0.25)
    images = torch.tensor([[4.0, 5.0], [1.0, 1.0]]).reshape(2, 1, 1, 2)
    expected = torch.tensor([(3**2 + 4**2) / (2 * 0.5), 0.0]) + (4 + math.e - 1 - 1) / 2
    detector = Vae(encoder=encoder, decoder=decoder, variance=0.5)
    torch.testing.assert_close(detector.score(images), expected)
    assert detector.explain(images).residual.tolist() == [[[3.0, 4.0]], [[0.0, 0.0]]]


def test_the_variance_is_that_of_the_normals_about_their_reconstructions(zeros):
    training = Training(steps=100, batch_size=40, learning_rate=1e-2, weight_decay=0.0)
    detector = fit(zeros.normals, num_features=8, width=64, training=training, seed=0)
    errors = zeros.normals - detector.explain(zeros.normals).reconstruction
    assert detector.variance == pytest.approx(errors.square().mean().item(), rel=1e-4)
    assert detector.variance < 0.9 * zeros.normals.var(dim=0).mean().item()


def test_normals_that_are_reconstructed_exactly_count_at_the_least_variance():
    images, nothing = torch.zeros(3, 1, 2, 2), torch.zeros(3, 2)
    expected = torch.tensor(math.log(LEAST_VARIANCE) / 2)
    torch.testing.assert_close(bound(images, images, nothing, nothing), expected)
