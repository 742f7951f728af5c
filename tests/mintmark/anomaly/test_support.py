"""Support vectors against scikit-learn's own decision, and the pull against the score's gradient."""

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.svm import OneClassSVM

from mintmark.anomaly.support import Support, fit_support
from mintmark.errors import BadInput

STRETCH = torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 0.1]])
NORMALS = torch.randn(80, 3, generator=torch.Generator().manual_seed(0)) @ STRETCH
QUERIES = 2 * torch.randn(30, 3, generator=torch.Generator().manual_seed(1)) @ STRETCH


def by_hand() -> Support:
    """Vectors at 0 and 2, of whose unit the whitener makes a half."""
    return Support(
        vectors=torch.tensor([[0.0], [2.0]]),
        whitener=torch.tensor([[0.5]], dtype=torch.float64),
        weights=torch.tensor([0.25, 0.75]),
        gamma=2.0,
    )


@pytest.mark.parametrize("nu", [0.1, 0.5, 0.9])
def test_the_score_is_the_logarithm_of_scikit_learn_s(nu: float):
    support = fit_support(NORMALS, nu=nu)
    white = PCA(whiten=True).fit(NORMALS.double().numpy())
    machine = OneClassSVM(gamma="auto", nu=nu, tol=1e-6).fit(white.transform(NORMALS.double().numpy()))
    decided = machine.score_samples(white.transform(QUERIES.double().numpy()))
    expected = -(torch.from_numpy(decided) / (nu * 80)).log()
    torch.testing.assert_close(support.score(QUERIES).double(), expected, rtol=1e-3, atol=1e-4)
    assert support.weights.sum().item() == pytest.approx(1, abs=1e-5)
    assert support.weights.max() <= 1 / (nu * 80) + 1e-6


def test_the_score_is_the_one_counted_by_hand():
    support = by_hand()
    found = support.score(torch.tensor([[0.0], [1.0], [1e4]]))
    near = -torch.tensor([0.25 + 0.75 * torch.e**-2, torch.e**-0.5]).log()
    far = 9998**2 / 2 - torch.tensor([0.75]).log()  # in double precision the other vector is nothing beside it
    expected = torch.cat([near, far])
    torch.testing.assert_close(found, expected)


def test_the_pull_is_along_the_score_s_steepest_descent():
    support = fit_support(NORMALS, nu=0.2)
    queries = QUERIES.clone().requires_grad_()
    (gradients,) = torch.autograd.grad(support.score(queries).sum(), [queries])
    steps = (support.pull(QUERIES) - QUERIES).double() @ support.whitener
    of_whitened = gradients.double() @ torch.linalg.inv(support.whitener.T)
    alike = torch.nn.functional.cosine_similarity(steps, -of_whitened)
    torch.testing.assert_close(alike.float(), torch.ones(30), rtol=0, atol=1e-3)


def test_whitened_normals_have_unit_variance_in_all_directions():
    white = NORMALS.double() @ fit_support(NORMALS, nu=0.2).whitener
    torch.testing.assert_close(torch.cov(white.T), torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-4)


def test_the_pull_from_far_away_is_to_the_nearest_vector_and_finite():
    support = by_hand()
    torch.testing.assert_close(support.pull(torch.tensor([[1e4], [-1e4]])), torch.tensor([[2.0], [0.0]]))


def test_bad_input_is_refused():
    for nu in (0.0, 1.0):
        with pytest.raises(BadInput, match=f"nu: expected above 0 and below 1, got {nu}"):
            fit_support(NORMALS, nu=nu)
    with pytest.raises(BadInput, match="expected some variety"):
        fit_support(torch.zeros(5, 2), nu=0.5)
