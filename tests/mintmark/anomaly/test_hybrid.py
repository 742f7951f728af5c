"""The hybrid: it is its two parts, one after the other."""

import torch
from sklearn.decomposition import PCA
from sklearn.svm import OneClassSVM

from mintmark.anomaly import autoencoder
from mintmark.anomaly.descent import Training
from mintmark.anomaly.hybrid import fit

TRAINING = Training(steps=100, batch_size=40, learning_rate=1e-2, weight_decay=0.0)
NETWORK = {"num_features": 8, "width": 32, "training": TRAINING, "seed": 0}


def test_the_score_is_that_of_a_machine_on_the_same_autoencoder_s_codes(zeros):
    alone = autoencoder.fit(zeros.normals, **NETWORK)
    codes, others = (alone.encode(some).double().numpy() for some in (zeros.normals, zeros.held_out))
    white = PCA(whiten=True).fit(codes)
    machine = OneClassSVM(gamma="auto", nu=0.2, tol=1e-6).fit(white.transform(codes))
    decided = machine.score_samples(white.transform(others))
    expected = -(torch.from_numpy(decided) / (0.2 * len(zeros.normals))).log()
    found = fit(zeros.normals, **NETWORK, nu=0.2).score(zeros.held_out)
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4)


def test_the_explanation_decodes_the_pulled_code(zeros):
    detector = fit(zeros.normals, **NETWORK, nu=0.2)
    pulled = detector.support.pull(detector.autoencoder.encode(zeros.anomalies))
    expected = detector.autoencoder.decoder(pulled)
    torch.testing.assert_close(detector.explain(zeros.anomalies).reconstruction, expected)
