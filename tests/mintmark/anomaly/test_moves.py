"""The moves: the score in plain loops, and of a network that knows nothing."""

import math

import torch

from mintmark.anomaly.descent import Training
from mintmark.anomaly.moves import Moves, fit
from mintmark.anomaly.pretext import PatchNetwork, move

TRAINING = Training(steps=5, batch_size=40, learning_rate=5e-3, weight_decay=0.0)


def test_the_score_is_the_mean_cross_entropy_of_every_move(zeros):
    detector = fit(zeros.normals, width=8, training=TRAINING, seed=0)
    image = zeros.anomalies[:1]
    expected = [
        torch.nn.functional.cross_entropy(detector.network(move(image, torch.tensor([code]))), torch.tensor([code]))
        for code in range(20)
    ]
    torch.testing.assert_close(detector.score(image)[0], torch.stack(expected).mean())


def test_a_network_that_answers_at_random_is_as_surprised_by_everything(zeros):
    network = PatchNetwork(shape=(8, 8, 1), width=8)
    for parameter in network.head.parameters():
        parameter.data.zero_()
    scores = Moves(network=network, normals=zeros.normals).score(zeros.anomalies)
    torch.testing.assert_close(scores, torch.full((300,), math.log(20)))


def test_a_normal_is_explained_by_itself(zeros):
    detector = fit(zeros.normals, width=8, training=TRAINING, seed=0)
    assert torch.equal(detector.explain(zeros.normals).reconstruction, zeros.normals)
