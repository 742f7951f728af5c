"""What holds for every detector that is fitted on normals alone, on real digits."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from mintmark.anomaly import (
    autoencoder,
    deep_svdd,
    gradient_nearest,
    gradient_residual,
    hybrid,
    isolation_forest,
    moves,
    one_class_svm,
    vae,
)
from mintmark.anomaly.anogan import AnoGan
from mintmark.anomaly.descent import Training
from mintmark.anomaly.detector import Detector
from mintmark.anomaly.family import MODULES, Networks, Recipes, fit_members, require_kinds
from mintmark.anomaly.pca import PcaResidual
from mintmark.errors import BadInput
from tasks.params import build

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
    "isolation_forest": partial(isolation_forest.fit, num_trees=50, sample_size=64),
}


def unseeded(fit: Fit, **settings: Any) -> Fit:
    return lambda normals, *, seed: fit(normals, **settings)


FITS = SEEDED | {
    "one_class_svm": unseeded(one_class_svm.fit, num_components=10, nu=0.1),
    "gradient_residual": unseeded(gradient_residual.fit, num_components=10),
    "gradient_nearest": unseeded(gradient_nearest.fit, num_neighbours=3),
}


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


@pytest.fixture
def recipes() -> Recipes:
    """Those of params.yaml, with short trainings."""
    values = YAML(typ="safe").load(Path(__file__).parents[3].joinpath("params.yaml").read_text(encoding="utf-8"))
    known: Recipes = build(Recipes, values["detect"]["recipes"], name="recipes")
    few = Training(steps=2, batch_size=16, learning_rate=1e-3, weight_decay=0.0)
    trained = ("autoencoder", "vae", "hybrid", "memory", "moves", "fanogan")
    return replace(
        known,
        **{kind: replace(getattr(known, kind), training=few) for kind in trained},
        deep_svdd=replace(known.deep_svdd, pretraining=few, training=few),
        anogan=replace(known.anogan, num_steps=2, bank_per_class=4),
    )


def test_every_kind_is_fitted_by_its_recipe_in_the_order_asked_for(recipes, zeros, networks):
    kinds = [*sorted(MODULES, reverse=True), "combination"]
    found = fit_members(kinds, zeros.normals, recipes=recipes, networks=Networks(*networks), seed=0)
    assert [one.kind for one in found] == kinds[:-1]
    assert all(isinstance(one, Detector) for one in found)
    by_kind = {one.kind: one for one in found}
    plane, searcher = by_kind["pca_residual"], by_kind["anogan"]
    assert isinstance(plane, PcaResidual)
    assert len(plane.components) == recipes.pca_residual.num_components
    assert isinstance(searcher, AnoGan)
    assert searcher.search == recipes.anogan


def test_without_networks_the_kinds_that_need_them_are_left_out(recipes, zeros):
    kinds = ["anogan", "pca_residual", "fanogan", "nearest"]
    found = fit_members(kinds, zeros.normals, recipes=recipes, networks=None, seed=0)
    assert [one.kind for one in found] == ["pca_residual", "nearest"]


def test_without_networks_and_without_other_kinds_nothing_can_be_fitted(recipes, zeros):
    with pytest.raises(BadInput, match=r"expected one that needs no generator, since there is none, got \['anogan'\]"):
        fit_members(["anogan"], zeros.normals, recipes=recipes, networks=None, seed=0)


def test_the_seed_reaches_the_detectors_that_draw(recipes, zeros):
    first, again, other = (
        fit_members(["isolation_forest"], zeros.normals, recipes=recipes, networks=None, seed=seed)[0]
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.score(zeros.held_out), again.score(zeros.held_out))
    assert not torch.equal(first.score(zeros.held_out), other.score(zeros.held_out))


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ([], "detectors must be some of"),
        (["magic"], "detectors must be some of"),
        (["vae", "vae"], "each once"),
        (["combination"], "detectors must name combination last, after its members"),
        (["combination", "vae"], "detectors must name combination last, after its members"),
    ],
)
def test_a_list_that_cannot_be_judged_is_refused(kinds: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        require_kinds(kinds)
