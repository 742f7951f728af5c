"""What holds for every detector that is fitted on normals alone, on real digits."""

from collections.abc import Callable
from functools import partial

import pytest
import torch

from mintmark.anomaly import autoencoder, deep_svdd, hybrid, isolation_forest, moves, one_class_svm, vae
from mintmark.anomaly.descent import Training
from mintmark.anomaly.detector import Detector
from mintmark.errors import BadInput

TRAINING = Training(steps=80, batch_size=40, learning_rate=1e-2, weight_decay=0.0)
NETWORK = {"num_features": 8, "width": 64, "training": TRAINING}
Fit = Callable[..., Detector]
SEEDED: dict[str, Fit] = {
    "autoencoder": partial(autoencoder.fit, **NETWORK),
    "vae": partial(vae.fit, **NETWORK),
    "deep_svdd": partial(
        deep_svdd.fit,
        num_features=8,
        width=64,
        pretraining=TRAINING,
        training=Training(steps=60, batch_size=40, learning_rate=1e-3, weight_decay=0.01),
    ),
    "hybrid": partial(hybrid.fit, num_features=16, width=64, training=TRAINING, nu=0.1),
    "moves": partial(moves.fit, width=8, training=TRAINING),
    "isolation_forest": partial(isolation_forest.fit, num_components=10, num_trees=50, sample_size=64),
}


def one_class_svm_of(normals: torch.Tensor, *, seed: int) -> Detector:
    del seed  # nothing is drawn
    return one_class_svm.fit(normals, num_components=10, nu=0.1)


FITS = SEEDED | {"one_class_svm": one_class_svm_of}


@pytest.fixture(scope="module", params=sorted(FITS))
def detector(request: pytest.FixtureRequest, zeros) -> Detector:
    return FITS[request.param](zeros.normals, seed=0)


def test_the_kind_is_the_module_s_name(detector):
    assert type(detector).__module__ == f"mintmark.anomaly.{detector.kind}"


def test_other_digits_score_above_held_out_ones_of_the_class(detector, zeros):
    assert zeros.auroc(detector) > 0.9


def test_scores_are_finite_and_nought_or_more(detector, zeros):
    scores = detector.score(zeros.anomalies)
    assert scores.shape == (300,)
    assert scores.isfinite().all()
    assert scores.min() >= 0
    assert scores.unique().numel() > 200


def test_a_score_does_not_depend_on_what_is_scored_beside_it(detector, zeros):
    together = detector.score(zeros.anomalies)
    apart = torch.cat([detector.score(some) for some in zeros.anomalies.split([1, 7, 292])])
    torch.testing.assert_close(apart, together, rtol=1e-4, atol=1e-6)


def test_an_explanation_is_a_picture_nearer_to_the_normals_than_the_image(detector, zeros):
    explanation = detector.explain(zeros.anomalies)
    torch.testing.assert_close(explanation.residual, (zeros.anomalies - explanation.reconstruction).abs()[:, 0])

    def distance(images: torch.Tensor) -> torch.Tensor:
        return torch.cdist(images.flatten(1), zeros.normals.flatten(1)).min(dim=1).values.mean()

    assert distance(explanation.reconstruction) < 0.9 * distance(zeros.anomalies)


def test_no_image_gives_no_score(detector):
    assert detector.score(torch.zeros(0, 1, 8, 8)).shape == (0,)


def test_images_of_another_shape_are_refused_with_both_shapes(detector):
    for ask in (detector.score, detector.explain):
        with pytest.raises(BadInput, match=r"\(8, 8, 1\), the normals', got \(9, 8, 1\)"):
            ask(torch.zeros(2, 1, 9, 8))


@pytest.mark.parametrize("kind", sorted(FITS))
def test_the_same_seed_gives_the_same_scores(kind: str, zeros):
    torch.randn(3)  # what else the process draws is without effect
    first, again = (FITS[kind](zeros.normals, seed=3).score(zeros.anomalies) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("kind", sorted(SEEDED))
def test_another_seed_gives_other_scores(kind: str, zeros):
    first, other = (FITS[kind](zeros.normals, seed=seed).score(zeros.anomalies) for seed in (3, 4))
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", sorted(FITS))
def test_normals_that_teach_nothing_are_refused(kind: str):
    with pytest.raises(BadInput, match="normals: expected at least 2, got 1"):
        FITS[kind](torch.zeros(1, 1, 8, 8), seed=0)
    broken = torch.zeros(5, 1, 8, 8)
    broken[3, 0, 0, 0] = torch.nan
    with pytest.raises(BadInput, match="expected finite pixels, got NaN or infinity in row 3"):
        FITS[kind](broken, seed=0)
