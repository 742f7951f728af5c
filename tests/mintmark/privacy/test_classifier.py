"""Attacks on a classifier: scores by hand, calibration, and a classifier that knows labels by heart."""

import numpy as np
import pytest

from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.errors import BadInput
from mintmark.intervals import auc
from mintmark.privacy.classifier import ShadowAnswers, attack_classifier, class_confidence_scores, shadow_scores
from mintmark.privacy.likelihood import lira_scores, rmia_scores
from mintmark.privacy.memorised import memorising_classifier, random_labels
from mintmark.privacy.parties import Parties
from mintmark.privacy.queries import PLAIN_FORM, Form, ask, confidence_scores
from mintmark.privacy.shadows import Shadows


def test_confidence_by_class_is_in_units_of_the_reference():
    found = class_confidence_scores(
        np.array([3.0, 3.0]),
        np.array([0, 1]),
        reference_confidences=np.array([0.0, 2.0, 3.0, 5.0]),
        reference_codes=np.array([0, 0, 1, 1]),
        min_class_records=2,
    )
    assert found == pytest.approx([2.0 / np.sqrt(2.0), -1.0 / np.sqrt(2.0)])


def test_too_few_reference_records_leave_the_attack_by_class_out():
    found = class_confidence_scores(
        np.array([3.0]),
        np.array([1]),
        reference_confidences=np.array([0.0, 2.0]),
        reference_codes=np.array([0, 1]),
        min_class_records=2,
    )
    assert found is None


def test_shadows_calibrate_by_those_that_did_not_know_the_record():
    shadows = Shadows(np.array([[1.0, 5.0], [3.0, 9.0]]), np.array([[False, True], [False, False]]))
    assert shadow_scores(np.array([4.0, 4.0]), shadows) == pytest.approx([2.0, -5.0])


def test_a_record_known_to_every_shadow_leaves_the_attack_out():
    assert shadow_scores(np.zeros(1), Shadows(np.zeros((1, 1)), np.array([[True]]))) is None
    assert Shadows(np.zeros((0, 3)), np.zeros((0, 3), bool)).untrained_mean() is None


def test_a_classifier_that_knows_random_labels_by_heart_is_caught_by_every_attack(digits: ImageSet):
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(digits))
    parties = Parties(
        members=random_labels(digits.take(rows[:100]), rng=rng),
        non_members=random_labels(digits.take(rows[100:250]), rng=rng),
        reference=digits.take(rows[250:500]),
        bystanders=digits.take(rows[500:]),
    )
    recipe = Recipe(steps=150, batch_size=50, learning_rate=1e-2, weight_decay=0.0, width=8)
    network = memorising_classifier(parties.members, recipe=recipe, seed=0)
    found = attack_classifier(network, parties, min_class_records=5, forms=(PLAIN_FORM,), shadows=None)
    assert set(found) == {"confidence", "class_confidence"}
    assert all(auc(scores.members, scores.non_members) > 0.9 for scores in found.values())


def test_repeated_questions_and_shadows_add_attacks_and_the_target_is_refused_among_them(toy_images):
    sets = [toy_images(num=12, seed=seed) for seed in range(4)]
    parties = Parties(members=sets[0], non_members=sets[1], reference=sets[2], bystanders=sets[3])
    recipe = Recipe(steps=5, batch_size=12, learning_rate=1e-2, weight_decay=0.0, width=4)
    network = memorising_classifier(sets[0], recipe=recipe, seed=0)
    forms = (PLAIN_FORM, Form(0, 1, mirrored=False))
    mine = confidence_scores(network, parties.tensors(), parties.codes(), forms=forms)
    trained_on = np.stack([np.arange(24) < 12, np.arange(24) >= 12] * 2)
    noise = np.random.default_rng(0).normal(size=(4, 24))
    shadows = ShadowAnswers(Shadows(mine + noise, trained_on), Shadows(mine - noise, trained_on))
    found = attack_classifier(network, parties, min_class_records=2, forms=forms, shadows=shadows)
    asked = {"confidence", "class_confidence", "repeated"}
    assert set(found) == asked | {"shadow", "lira", "lira_shrunk", "lira_offline", "rmia"}
    assert np.concatenate(found["repeated"]) == pytest.approx(mine)
    tempered = ask(network, parties.tensors(), parties.codes(), forms=forms).log_likelihoods
    assert np.concatenate(found["rmia"]) == pytest.approx(rmia_scores(tempered, shadows.log_likelihoods))
    assert np.concatenate(found["lira"]) == pytest.approx(lira_scores(mine, shadows.confidences))
    own = shadows._replace(confidences=Shadows(mine + 0 * noise, trained_on))
    with pytest.raises(BadInput, match="it is the target"):
        attack_classifier(network, parties, min_class_records=2, forms=forms, shadows=own)


def test_random_labels_are_another_draw_of_the_same_classes(digits: ImageSet):
    found = random_labels(digits, rng=np.random.default_rng(0))
    assert set(found.codes.tolist()) == set(range(10))
    assert (found.codes == digits.codes).mean() == pytest.approx(0.1, abs=0.03)
