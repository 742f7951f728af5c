"""What the family shares: the protocol, the explanation, and the refusal of other shapes."""

import pytest
import torch

from mintmark.anomaly import nearest, pca
from mintmark.anomaly.anogan import Search, fit
from mintmark.anomaly.detector import Detector, explained, require_shape
from mintmark.errors import BadInput


def test_the_residual_is_the_mean_distance_over_channels():
    images = torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1)
    explanation = explained(images, torch.tensor([0.5, 0.5]).reshape(1, 2, 1, 1))
    assert explanation.residual.tolist() == [[[1.0]]]


def test_shapes_are_height_width_channels():
    images = torch.zeros(2, 3, 4, 5)
    require_shape(images, (4, 5, 3), whose="mine")
    with pytest.raises(BadInput, match=r"expected \(height, width, channels\) \(5, 4, 3\), mine, got \(4, 5, 3\)"):
        require_shape(images, (5, 4, 3), whose="mine")


def test_every_kind_scores_and_explains_alike(networks, made, noise):
    """Normals that the generator makes, and noise: each kind ranks them, and its residual agrees in shape and sign."""
    search = Search(
        num_steps=5, learning_rate=0.1, num_starts=1, bank_per_class=5, feature_weight=0.1, norm=1.0, batch_size=12
    )
    family: list[Detector] = [
        fit(made, generator=networks[0], discriminator=networks[1], search=search, seed=0),
        pca.fit(made, num_components=4),
        nearest.fit(made, num_neighbours=1),
    ]
    assert [one.kind for one in family] == ["anogan", "pca_residual", "nearest"]
    for one in family:
        assert one.score(made).shape == (12,)
        assert one.score(noise).mean() > one.score(made).mean() >= 0
        explanation = one.explain(noise)
        assert explanation.reconstruction.shape == noise.shape
        torch.testing.assert_close(explanation.residual, (noise - explanation.reconstruction).abs().mean(dim=1))
