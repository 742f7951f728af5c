"""Likelihood ratio attacks: by hand, against SciPy's own fits, and on simulated models with a known answer."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit, polygamma
from scipy.stats import norm

from mintmark.errors import BadInput
from mintmark.intervals import auc
from mintmark.privacy.likelihood import (
    LARGEST_PRIOR,
    _inverse_trigamma,
    lira_scores,
    log_probabilities,
    offline_lira_scores,
    rmia_scores,
    shadow_attacks,
    shrunk_lira_scores,
    sides_of,
    variance_prior,
)
from mintmark.privacy.shadows import Shadows
from mintmark.shadow.coins import toss


def rmia_of_confidences(answers: np.ndarray, shadows: Shadows) -> np.ndarray | None:
    return rmia_scores(log_probabilities(answers), shadows.map(log_probabilities))


ATTACKS = (lira_scores, shrunk_lira_scores, offline_lira_scores, rmia_of_confidences)


def simulated(
    *, num_shadows: int, num_records: int = 2000, effect: float = 1.5, seed: int = 0, spread: float = 0.7
) -> tuple[np.ndarray, np.ndarray, Shadows]:
    """A target's answers, who was a member, and shadows: each record has a difficulty and a variance of its own."""
    rng = np.random.default_rng(seed)
    easy, deviations = rng.normal(2.0, 3.0, num_records), np.exp(rng.normal(0.0, spread, num_records))
    trained_on = toss(np.zeros(num_records, np.int64), num=num_shadows + 1, seed=seed)
    noise = rng.normal(size=trained_on.shape)
    answers = easy + deviations * (noise + effect * trained_on)
    return answers[-1], trained_on[-1], Shadows(answers[:-1], trained_on[:-1])


def area(attack: Callable, answers: np.ndarray, members: np.ndarray, shadows: Shadows) -> float:
    scores = attack(answers, shadows)
    return auc(scores[members], scores[~members])


HAND = Shadows(
    np.array([[4.0, 1.0], [6.0, 3.0], [1.0, 5.0], [3.0, 7.0]]),
    np.array([[True, False], [True, False], [False, True], [False, True]]),
)


def test_lira_is_the_ratio_of_two_normal_densities():
    # Both sides: two records with two answers 2 apart each, so a pooled variance of 2.
    expected = norm.logpdf([5.0, 2.0], [5.0, 6.0], np.sqrt(2.0)) - norm.logpdf([5.0, 2.0], [2.0, 2.0], np.sqrt(2.0))
    assert lira_scores(np.array([5.0, 2.0]), HAND) == pytest.approx(expected)


def test_shrunk_lira_allows_for_the_doubt_of_the_means():
    # All variances are 2, so all records share it; a mean of two answers adds half of it.
    expected = norm.logpdf([5.0, 2.0], [5.0, 6.0], np.sqrt(3.0)) - norm.logpdf([5.0, 2.0], [2.0, 2.0], np.sqrt(3.0))
    assert shrunk_lira_scores(np.array([5.0, 2.0]), HAND) == pytest.approx(expected, rel=1e-4)


def test_offline_lira_is_two_sided_and_asks_no_model_that_knew_the_record():
    only = Shadows(HAND.answers + np.where(HAND.trained_on, 100.0, 0.0), HAND.trained_on)
    found = offline_lira_scores(np.array([2.0, 4.0]), only)
    assert found == pytest.approx(-norm.logpdf([2.0, 4.0], [2.0, 2.0], np.sqrt(2.0)))
    assert offline_lira_scores(np.array([2.0, 0.0]), only) == pytest.approx(found)


def test_rmia_is_the_log_ratio_to_the_mean_reference():
    found = rmia_scores(log_probabilities(np.array([5.0, 2.0])), HAND.map(log_probabilities))
    means = [(expit([4.0, 6.0]).mean() + expit([1.0, 3.0]).mean()) / 2, (expit([1.0, 3.0, 5.0, 7.0])).mean()]
    assert found == pytest.approx(np.log(expit([5.0, 2.0])) - np.log(means))


def test_rmia_orders_as_the_published_score_does_but_without_its_ties():
    answers, _, shadows = simulated(num_shadows=4, num_records=400)
    scores = rmia_scores(log_probabilities(answers), shadows.map(log_probabilities))
    assert scores is not None
    ratios = np.exp(scores)
    population = np.random.default_rng(1).choice(ratios, 50)
    published = (ratios[:, None] / population >= 1.0).mean(axis=1)
    order = np.argsort(ratios)
    assert (np.diff(published[order]) >= 0).all()
    assert len(np.unique(published)) <= 51
    assert len(np.unique(ratios)) > 390


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_finds_members_and_nobody_where_nothing_leaks(attack: Callable):
    leaky, safe = (simulated(num_shadows=16, effect=effect) for effect in (1.5, 0.0))
    assert area(attack, *leaky) > 0.6
    assert area(attack, *safe) == pytest.approx(0.5, abs=0.04)  # three standard errors at 1,000 and 1,000


def test_shadows_tell_more_than_the_bare_answer():
    answers, members, shadows = simulated(num_shadows=16)
    bare = auc(answers[members], answers[~members])
    assert area(lira_scores, answers, members, shadows) > bare + 0.1


def test_shrinking_beats_one_variance_for_all_where_records_differ():
    areas = np.array(
        [
            [
                area(attack, *simulated(num_shadows=16, seed=seed, spread=1.2))
                for attack in (shrunk_lira_scores, lira_scores)
            ]
            for seed in range(5)
        ]
    )
    assert (areas[:, 0] > areas[:, 1]).all()


def test_the_prior_is_found_again():
    rng = np.random.default_rng(0)
    free, scale, counts = 8.0, 2.0, 9
    variances = free * scale / rng.chisquare(free, 20_000)
    answers = rng.normal(size=(2 * counts, 20_000)) * np.sqrt(variances)
    sides = sides_of(Shadows(answers, np.arange(2 * counts)[:, None].repeat(20_000, axis=1) < counts))
    assert sides is not None
    found_free, found_scale = variance_prior(sides[0])
    assert found_free == pytest.approx(free, rel=0.1)
    assert found_scale == pytest.approx(scale, rel=0.05)


def test_equal_variances_are_pooled():
    sides = sides_of(simulated(num_shadows=16, spread=0.0)[2])
    assert sides is not None
    assert variance_prior(sides[0])[0] > 50
    alike = sides[0]._replace(variances=np.full_like(sides[0].variances, 3.0))
    assert variance_prior(alike) == (LARGEST_PRIOR, pytest.approx(3.0))


@pytest.mark.parametrize("value", [1e-4, 0.1, 1.0, 50.0])
def test_the_inverse_of_the_trigamma_function(value: float):
    assert polygamma(1, _inverse_trigamma(value)) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("attack", ATTACKS)
def test_records_without_shadows_on_a_side_leave_the_attack_out(attack: Callable):
    nobody = Shadows(np.zeros((0, 2)), np.zeros((0, 2), bool))
    every = Shadows(np.zeros((2, 2)), np.ones((2, 2), bool))
    assert attack(np.zeros(2), nobody) is None
    assert attack(np.zeros(2), every) is None


def test_one_shadow_a_side_is_too_few_to_shrink_but_not_for_a_mean():
    pair = Shadows(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[True, False], [False, True]]))
    assert shrunk_lira_scores(np.zeros(2), pair) is None
    assert rmia_scores(np.zeros(2), pair) is not None


@pytest.mark.parametrize("attack", ATTACKS)
def test_shadows_that_all_answer_alike_give_finite_scores(attack: Callable):
    alike = Shadows(np.full((4, 3), 40.0), toss(np.zeros(3, np.int64), num=4, seed=0))
    assert np.isfinite(attack(np.array([39.0, 40.0, 41.0]), alike)).all()


def test_a_missing_constant_of_the_likelihood_changes_no_rmia_score():
    answers, shift = np.array([-3.0, -900.0]), 500.0
    plain = rmia_scores(answers, HAND)
    assert rmia_scores(answers + shift, HAND.map(lambda logs: logs + shift)) == pytest.approx(plain)


def test_log_probabilities_do_not_round_to_zero():
    assert log_probabilities(np.array([0.0, 40.0])) == pytest.approx([np.log(0.5), -np.exp(-40.0)])


def test_every_question_to_shadow_generators_makes_three_attacks():
    asked = np.array([5.0, 2.5])
    found = shadow_attacks({"nearest": asked, "density": asked - 1}, {"nearest": HAND, "density": HAND})
    assert set(found) == {f"{name}_{kind}" for name in ("nearest", "density") for kind in ("shadow", "lira", "rmia")}
    assert found["nearest_shadow"] == pytest.approx(asked - [2.0, 2.0])
    assert found["density_lira"] == pytest.approx(lira_scores(asked - 1, HAND))
    assert found["density_rmia"] == pytest.approx(rmia_scores(asked - 1, HAND))


def test_a_target_among_its_own_shadows_is_refused():
    with pytest.raises(BadInput, match="it is the target"):
        shadow_attacks({"nearest": HAND.answers[2]}, {"nearest": HAND})
