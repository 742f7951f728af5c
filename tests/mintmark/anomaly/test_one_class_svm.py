"""The one-class support vector machine on components: against scikit-learn's, run on the same coordinates."""

import numpy as np
import torch
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.svm import OneClassSVM

from mintmark.anomaly.one_class_svm import fit


def test_the_ranks_are_scikit_learn_s(zeros):
    plane = PCA(10, svd_solver="full").fit(zeros.normals.flatten(1).double().numpy())

    def features(images: torch.Tensor) -> np.ndarray:
        flat = images.flatten(1).double().numpy()
        coordinates = plane.transform(flat)
        beside = np.linalg.norm(flat - plane.inverse_transform(coordinates), axis=1)
        return np.column_stack([coordinates, beside])

    white = PCA(whiten=True).fit(features(zeros.normals))
    machine = OneClassSVM(gamma="auto", nu=0.1, tol=1e-6).fit(white.transform(features(zeros.normals)))
    expected = -machine.decision_function(white.transform(features(zeros.held_out)))
    found = fit(zeros.normals, num_components=10, nu=0.1).score(zeros.held_out)
    assert stats.spearmanr(found.numpy(), expected).statistic > 0.9999


def test_the_explanation_lies_in_the_plane_and_scores_lower_than_the_image(zeros):
    detector = fit(zeros.normals, num_components=10, nu=0.1)
    expected = detector.explain(zeros.anomalies).reconstruction
    assert detector.plane.score(expected).max() < 1e-4
    assert (detector.score(expected) < detector.score(zeros.anomalies)).float().mean() > 0.9


def test_what_lies_beside_the_plane_scores_high_even_where_it_projects_into_the_midst(zeros):
    detector = fit(zeros.normals, num_components=10, nu=0.1)
    across = torch.linalg.svd(detector.plane.components).Vh[-1].reshape(1, 1, 8, 8)
    midst = detector.plane.images(torch.zeros(1, 10))
    assert detector.score(midst + 20 * across).item() > detector.score(zeros.held_out).quantile(0.9).item()
