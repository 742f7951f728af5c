"""Support vectors against scikit-learn's own decision, and the pull against the score's gradient."""

import pytest
import torch
from sklearn.svm import OneClassSVM

from mintmark.anomaly.support import Support, fit_support
from mintmark.errors import BadInput

NORMALS = torch.randn(80, 3, generator=torch.Generator().manual_seed(0))
QUERIES = 2 * torch.randn(30, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("nu", [0.1, 0.5, 0.9])
def test_the_score_is_scikit_learn_s_but_for_sign_and_scale(nu: float):
    support = fit_support(NORMALS, nu=nu)
    machine = OneClassSVM(gamma="scale", nu=nu, tol=1e-6).fit(NORMALS.double().numpy())
    expected = 1 - torch.from_numpy(machine.score_samples(QUERIES.double().numpy())) / (nu * 80)
    torch.testing.assert_close(support.score(QUERIES).double(), expected, rtol=1e-4, atol=1e-5)
    assert support.weights.sum().item() == pytest.approx(1, abs=1e-5)
    assert support.weights.max() <= 1 / (nu * 80) + 1e-6


def test_the_score_is_the_one_counted_by_hand():
    support = Support(vectors=torch.tensor([[0.0], [2.0]]), weights=torch.tensor([0.25, 0.75]), gamma=0.5)
    found = support.score(torch.tensor([[0.0], [1.0], [1e4]]))
    expected = 1 - torch.tensor([0.25 + 0.75 * torch.e**-2, torch.e**-0.5, 0.0])
    torch.testing.assert_close(found, expected)


def test_the_pull_is_along_the_score_s_steepest_descent():
    support = fit_support(NORMALS, nu=0.2)
    queries = QUERIES.clone().requires_grad_()
    (gradients,) = torch.autograd.grad(support.score(queries).sum(), [queries])
    steps = support.pull(QUERIES) - QUERIES
    alike = torch.nn.functional.cosine_similarity(steps, -gradients)
    torch.testing.assert_close(alike, torch.ones(30), rtol=0, atol=1e-3)


def test_the_pull_from_far_away_is_to_the_nearest_vector_and_finite():
    support = Support(vectors=torch.tensor([[0.0], [2.0]]), weights=torch.tensor([0.25, 0.75]), gamma=0.5)
    torch.testing.assert_close(support.pull(torch.tensor([[1e4], [-1e4]])), torch.tensor([[2.0], [0.0]]))


def test_bad_input_is_refused():
    for nu in (0.0, 1.0):
        with pytest.raises(BadInput, match=f"nu: expected above 0 and below 1, got {nu}"):
            fit_support(NORMALS, nu=nu)
    with pytest.raises(BadInput, match="expected some variety"):
        fit_support(torch.zeros(5, 2), nu=0.5)
