"""The distance to the normals against one computed by brute force."""

import pytest
import torch

from mintmark.anomaly.nearest import fit
from mintmark.errors import BadInput

NORMALS = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))
QUERIES = torch.rand(15, 1, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("k", [1, 5])
def test_the_score_is_the_mean_distance_to_the_nearest(k: int):
    distances = torch.cdist(QUERIES.flatten(1), NORMALS.flatten(1)).sort(dim=1).values[:, :k]
    torch.testing.assert_close(fit(NORMALS, num_neighbours=k).score(QUERIES), distances.mean(dim=1))


def test_a_normal_itself_scores_nought_and_explains_itself():
    detector = fit(NORMALS, num_neighbours=1)
    assert detector.score(NORMALS).max() == 0
    explanation = detector.explain(NORMALS)
    assert torch.equal(explanation.reconstruction, NORMALS)
    assert explanation.residual.abs().max() == 0


def test_the_explanation_is_the_mean_of_the_nearest():
    normals = torch.tensor([0.0, 1.0, 10.0])[:, None, None, None].expand(3, 2, 4, 4).contiguous()
    explanation = fit(normals, num_neighbours=2).explain(torch.full((1, 2, 4, 4), 2.0))
    assert torch.equal(explanation.reconstruction, torch.full((1, 2, 4, 4), 0.5))
    assert torch.equal(explanation.residual, torch.full((1, 4, 4), 1.5))


@pytest.mark.parametrize("num_neighbours", [0, 41])
def test_more_neighbours_than_normals_are_refused(num_neighbours: int):
    with pytest.raises(BadInput, match=f"expected 1 to 40, the number of normals, got {num_neighbours}"):
        fit(NORMALS, num_neighbours=num_neighbours)


def test_images_of_another_shape_are_refused_with_both_shapes():
    detector = fit(NORMALS, num_neighbours=1)
    for ask in (detector.score, detector.explain):
        with pytest.raises(BadInput, match=r"\(4, 4, 1\), the normals', got \(2, 8, 1\)"):
            ask(torch.zeros(1, 1, 2, 8))
