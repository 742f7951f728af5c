"""The plane of the normals against NumPy's singular vectors and scikit-learn's projection."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from mintmark.anomaly.pca import fit
from mintmark.errors import BadInput


def images(num: int, *, seed: int = 0) -> torch.Tensor:
    """Correlated values around a mean, two channels of 3x4."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(size=(24, 24)) * np.linspace(2.0, 0.1, 24)[:, None]
    return torch.from_numpy(rng.normal(size=(num, 24)) @ mixing + 3.0).float().reshape(num, 2, 3, 4)


@pytest.mark.parametrize("num", [10, 200])
def test_the_score_is_the_length_of_what_scikit_learn_s_projection_leaves(num: int):
    normals, queries = images(num), images(30, seed=1)
    flat, flat_queries = normals.flatten(1).double().numpy(), queries.flatten(1).double().numpy()
    plane = PCA(5, svd_solver="full").fit(flat)
    left = flat_queries - plane.inverse_transform(plane.transform(flat_queries))
    expected = torch.from_numpy(np.linalg.norm(left, axis=1)).float()
    torch.testing.assert_close(fit(normals, num_components=5).score(queries), expected, rtol=1e-4, atol=1e-4)


def test_the_components_are_the_leading_singular_vectors_of_the_centred_normals():
    normals = images(50)
    flat = normals.flatten(1).double()
    vectors = np.linalg.svd((flat - flat.mean(dim=0)).numpy(), full_matrices=False)[2][:4]
    alike = np.abs(fit(normals, num_components=4).components.double().numpy() @ vectors.T)
    np.testing.assert_allclose(alike, np.eye(4), atol=1e-5)


def test_an_image_of_the_plane_scores_nought_and_one_beside_it_its_distance():
    detector = fit(images(50), num_components=3)
    inside = (detector.mean + torch.tensor([2.0, -1.0, 0.5]) @ detector.components).reshape(1, 2, 3, 4)
    torch.testing.assert_close(detector.score(inside), torch.zeros(1), atol=1e-4, rtol=0)
    across = torch.linalg.svd(detector.components).Vh[-1].reshape(1, 2, 3, 4)
    torch.testing.assert_close(detector.score(inside + 4 * across), torch.tensor([4.0]), atol=1e-4, rtol=0)


def test_the_explanation_shows_where_the_image_leaves_the_plane():
    """Normals that vary only in brightness, and one bright pixel: 12 pixels share what the plane explains."""
    normals = torch.linspace(-1.0, 1.0, 20)[:, None, None, None].expand(20, 1, 3, 4).contiguous()
    odd = torch.zeros(1, 1, 3, 4)
    odd[0, 0, 1, 2] = 1.2
    explanation = fit(normals, num_components=1).explain(odd)
    expected = torch.full((1, 3, 4), 0.1)
    expected[0, 1, 2] = 1.1
    torch.testing.assert_close(explanation.residual, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(explanation.reconstruction, torch.full((1, 1, 3, 4), 0.1), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("num", "components", "most"), [(10, 10, 9), (10, 0, 9), (100, 25, 24)], ids=["normals", "none", "values"]
)
def test_more_components_than_the_normals_bear_are_refused(num: int, components: int, most: int):
    with pytest.raises(BadInput, match=f"expected 1 to {most} with {num} normals of 24 values, got {components}"):
        fit(images(num), num_components=components)


def test_images_of_another_shape_are_refused_with_both_shapes():
    detector = fit(images(50), num_components=3)
    for ask in (detector.score, detector.explain):
        with pytest.raises(BadInput, match=r"\(3, 4, 2\), the normals', got \(4, 3, 2\)"):
            ask(torch.zeros(1, 2, 4, 3))
