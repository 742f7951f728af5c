"""The one-class support vector machine on components: against scikit-learn's, run on the same coordinates."""

import torch
from sklearn.decomposition import PCA
from sklearn.svm import OneClassSVM

from mintmark.anomaly.one_class_svm import fit


def test_the_ranks_are_scikit_learn_s(zeros):
    plane = PCA(10, svd_solver="full").fit(zeros.normals.flatten(1).double().numpy())
    machine = OneClassSVM(gamma="scale", nu=0.1, tol=1e-6)
    machine.fit(plane.transform(zeros.normals.flatten(1).double().numpy()))
    expected = -machine.decision_function(plane.transform(zeros.anomalies.flatten(1).double().numpy()))
    found = fit(zeros.normals, num_components=10, nu=0.1).score(zeros.anomalies)
    together = torch.corrcoef(torch.stack([found.double(), torch.from_numpy(expected)]))[0, 1]
    assert together > 0.9999


def test_the_explanation_lies_in_the_plane_and_falls_in_score(zeros):
    detector = fit(zeros.normals, num_components=10, nu=0.1)
    expected = detector.explain(zeros.anomalies).reconstruction
    assert detector.plane.score(expected).max() < 1e-4
    assert (detector.score(expected) <= detector.score(zeros.anomalies) + 1e-6).all()
