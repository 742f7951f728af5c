"""Attacks on a release: a release with replayed members is caught, an independent one is not."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import KernelDensity

from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet, to_unit
from mintmark.fidelity.copies import pixels
from mintmark.intervals import auc
from mintmark.privacy.detection import detect
from mintmark.privacy.parties import Parties
from mintmark.privacy.samples import (
    SMALLEST_MASS,
    answers_of,
    attack_samples,
    auxiliary_scores,
    calibrated_scores,
    density_scores,
    feature_scores,
    nearest_scores,
    neighbourhood_scores,
    release_density,
    sample_answers,
)
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.spaces import Spaces, open_spaces
from mintmark.shadow.coins import toss

RECIPE = Recipe(steps=40, batch_size=32, learning_rate=5e-3, weight_decay=0.0, width=4)


@pytest.fixture(scope="module")
def parties(digits: ImageSet) -> Parties:
    rows = np.random.default_rng(0).permutation(len(digits))
    members, non_members, reference, bystanders = (digits.take(part) for part in np.split(rows, [400, 700, 850]))
    return Parties(members=members, non_members=non_members, reference=reference, bystanders=bystanders)


@pytest.fixture(scope="module")
def spaces(parties: Parties) -> Spaces:
    return open_spaces(parties.reference, recipe=RECIPE, seed=0)


def test_distances_by_hand():
    synthetic, reference = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 1.0]])
    queries = torch.tensor([[0.0, 0.5], [1.0, 1.0]])
    nearness = nearest_scores(queries, synthetic)
    assert nearness == pytest.approx([-0.5, 0.0])
    assert calibrated_scores(nearness, queries, reference) == pytest.approx([0.0, np.log(1.0) - np.log(1e-6)])


def test_distances_agree_with_scipy(parties: Parties):
    queries, release = parties.pixels(), pixels(parties.bystanders.images)
    found = nearest_scores(queries, release)
    assert found == pytest.approx(-cdist(queries.numpy(), release.numpy()).min(axis=1), abs=1e-5)


def test_a_release_of_members_is_caught_and_one_of_others_is_not(parties: Parties, spaces: Spaces):
    attack = partial(attack_samples, parties=parties, spaces=spaces, recipe=RECIPE, shadows={}, seed=0)
    leaky = attack(parties.members.take(np.arange(60)))
    honest = attack(parties.bystanders.take(np.arange(60)))
    assert set(leaky) == {"nearest", "calibrated", "feature", "neighbourhood", "density", "auxiliary"}
    for name in ("nearest", "calibrated", "feature", "neighbourhood", "density"):
        copied, others = leaky[name].members[:60], leaky[name].non_members
        assert auc(copied, others) > 0.9, name
    caught = detect(leaky, fpr=0.01, level=0.05)
    assert caught.detected
    assert caught.side == "high"
    assert not detect(honest, fpr=0.01, level=0.001).detected


def test_the_auxiliary_discriminator_finds_members_that_look_synthetic():
    """Every member carries a mark that the synthetic records carry too; the reference does not."""
    rng = np.random.default_rng(1)
    marked, plain, reference = (rng.integers(0, 80, (50, 8, 8, 1)) for _ in range(3))
    marked[:, 2:4, 2:4] = 255
    sets = [to_unit(images.astype(np.uint8)) for images in (marked, plain, reference)]
    synthetic = sets[0].flip(3)
    found = auxiliary_scores(torch.cat(sets[:2]), synthetic, sets[2], recipe=RECIPE, seed=0)
    assert auc(found[:50], found[50:]) > 0.95


def test_scores_in_a_space_by_hand():
    queries, made = torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [5.0]])
    reference = torch.tensor([[0.5], [2.0]])
    assert feature_scores(queries, made, reference) == pytest.approx(np.log([0.5 / 1.0, 1.0 / 2.0]))
    # nearest distances 1 and 2, so a radius of 1.5: log(1.5 / 1) / 2 for the first, and nothing for the second
    assert neighbourhood_scores(queries, made) == pytest.approx([np.log(1.5) / 2, 0.0])


def test_the_density_ratio_is_that_of_two_kernel_estimates():
    rng = np.random.default_rng(0)
    queries, made, reference = (rng.normal(size=(n, 3)).astype(np.float32) for n in (20, 150, 90))

    def estimate(points: np.ndarray) -> np.ndarray:
        kernel = KernelDensity(bandwidth=len(points) ** (-1 / 7)).fit(points)
        return kernel.score_samples(queries)

    found = density_scores(*(torch.from_numpy(one) for one in (queries, made, reference)))
    assert found == pytest.approx(estimate(made) - estimate(reference), abs=1e-4)


def test_what_shadows_are_asked_is_a_log_likelihood_of_each_attack(parties: Parties, spaces: Spaces):
    rows, queries = pixels(parties.bystanders.images), parties.pixels()
    found = answers_of(rows, queries, spaces, ("nearest", "density", "neighbourhood", "feature", "auxiliary"))
    assert set(found) == {"nearest", "density", "neighbourhood", "feature"}  # the other takes a training
    distances = cdist(queries.numpy(), rows.numpy()).min(axis=1)
    assert found["nearest"] == pytest.approx(-np.log(distances), abs=1e-4)
    seen, made = spaces.components(queries), spaces.components(rows)
    reference = spaces.components(spaces.reference)
    # less the reference's own density, which is the same for every generator, it is the density attack
    assert found["density"] - density_scores(seen, made, reference) == pytest.approx(release_density(seen, reference))
    assert found["neighbourhood"].min() == pytest.approx(np.log(SMALLEST_MASS))
    assert (np.argsort(found["neighbourhood"])[-3:] == np.argsort(neighbourhood_scores(seen, made))[-3:]).all()
    features = cdist(spaces.features(queries).numpy(), spaces.features(rows).numpy()).min(axis=1)
    assert found["feature"] == pytest.approx(-np.log(features), abs=1e-3)


def test_shadows_are_asked_by_the_auxiliary_discriminator_as_the_target_is(parties: Parties, spaces: Spaces):
    rows = pixels(parties.bystanders.images)
    found = sample_answers(rows, parties.pixels(), spaces, ("auxiliary",), recipe=RECIPE, seed=3)
    target = attack_samples(parties.bystanders, parties, spaces=spaces, recipe=RECIPE, shadows={}, seed=3)["auxiliary"]
    assert parties.split(found["auxiliary"]).members == pytest.approx(target.members, abs=1e-4)


def test_without_a_network_nobody_is_asked_about_features(parties: Parties, spaces: Spaces):
    bare = replace(spaces, network=None)
    assert set(answers_of(parties.pixels(), parties.pixels(), bare, ("nearest", "feature"))) == {"nearest"}


def test_releases_of_shadow_generators_add_attacks(parties: Parties, spaces: Spaces):
    queries = len(parties.codes())
    answers = np.random.default_rng(0).normal(size=(4, queries))
    shadows = Shadows(answers, toss(np.zeros(queries, np.int64), num=4, seed=0))
    known = {"nearest": shadows, "density": shadows}
    found = attack_samples(parties.bystanders, parties, spaces=spaces, recipe=RECIPE, shadows=known, seed=0)
    assert {"nearest_shadow", "nearest_lira", "nearest_rmia", "density_rmia"} <= set(found)


def test_the_same_seed_gives_the_same_scores(parties: Parties, spaces: Spaces):
    attack = partial(attack_samples, parties.bystanders, parties, spaces=spaces, recipe=RECIPE, shadows={})
    one, same, other = (attack(seed=seed) for seed in (1, 1, 2))
    assert (one["auxiliary"].members == same["auxiliary"].members).all()
    assert (one["auxiliary"].members != other["auxiliary"].members).any()
