"""Choices: what validation prefers is chosen, and soft labels come from the chosen teacher."""

from dataclasses import replace

import numpy as np
import pytest

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.networks import SmallCNN
from mintmark.utility.arms import Mixture
from mintmark.utility.choices import Score, choose, score, soft_labels
from mintmark.utility.controls import exchange_classes
from mintmark.utility.crew import probabilities

GENTLE, DESTRUCTIVE = Augmentation(shift=0.0625), Augmentation(cutout=1.0, rotation=180.0)
FLIPPED = replace(GENTLE, flip=0.5)


@pytest.fixture(scope="module")
def chosen(scarce, recipe, crew):
    material, _ = scarce
    wrong = exchange_classes(material.release.codes, num_classes=10, rng=np.random.default_rng(0))
    material = material._replace(release=replace(material.release, codes=wrong))
    mixtures = [Mixture(share=0.75, labels="hard"), Mixture(share=0.25, labels="soft")]
    grid = [DESTRUCTIVE, GENTLE]
    return choose(material, augmentations=grid, flip=0.5, mixtures=mixtures, recipe=recipe, seeds=[1, 2], crew=crew)


def test_the_augmentation_that_validation_prefers_is_chosen(chosen):
    assert replace(chosen.augmentation, flip=0.0) == GENTLE


def test_a_flip_is_tried_on_top_of_the_best_and_kept_only_if_validation_prefers_it(chosen):
    by_setting = {one.setting: one.score for one in chosen.candidates if one.arm == "augmented"}
    assert list(by_setting) == [DESTRUCTIVE, GENTLE, FLIPPED]
    assert chosen.augmentation == (FLIPPED if by_setting[FLIPPED] > by_setting[GENTLE] else GENTLE)


def test_a_release_with_wrong_labels_is_mixed_in_with_a_teacher_s_labels(chosen):
    soft = Mixture(share=0.25, labels="soft")
    assert chosen.mixtures == {"real_synthetic": soft, "augmented_synthetic": soft}


def test_all_that_was_tried_is_told(chosen):
    assert [one.arm for one in chosen.candidates] == ["augmented"] * 3 + ["real_synthetic"] * 2 + [
        "augmented_synthetic"
    ] * 2
    facts = chosen.facts()
    assert facts["augmentation"]["shift"] == 0.0625
    assert facts["mixtures"]["real_synthetic"] == {"share": 0.25, "labels": "soft"}
    assert len(facts["tried"]) == 7
    assert all(0 <= one["validation_accuracy"] <= 1 and one["validation_log_loss"] > 0 for one in facts["tried"])


def test_a_score_is_the_mean_accuracy_and_log_loss(monkeypatch, toy_images):
    validation = toy_images(num=4, num_classes=2)  # codes 0 1 0 1
    beliefs = [np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]), np.array([[0.6, 0.4]] * 4)]
    told = iter(beliefs)
    monkeypatch.setattr("mintmark.utility.choices.probabilities", lambda network, images: next(told))
    found = score([SmallCNN((8, 8, 1), 2, 2)] * 2, validation)
    first, second = np.log([0.9, 0.6, 0.3, 0.8]).mean(), np.log([0.6, 0.4, 0.6, 0.4]).mean()
    assert found == pytest.approx((0.625, (first + second) / 2))


def test_equal_accuracies_go_by_the_lower_log_loss():
    assert max(Score(0.9, -0.5), Score(0.9, -0.2), Score(0.8, -0.1)) == Score(0.9, -0.2)


def test_teachers_are_asked_only_where_a_mixture_is_soft(informed_teachers):
    teachers, release = informed_teachers
    assert soft_labels(teachers, release, [Mixture(share=0.5, labels="hard")]) == [None]
    (labels,) = soft_labels(teachers, release, [Mixture(share=0.5, labels="soft")])
    assert labels is not None
    assert np.array_equal(labels, probabilities(teachers[0], release))


@pytest.fixture
def informed_teachers(toy_images):
    return [SmallCNN((8, 8, 1), 3, 4).eval()], toy_images(num=6)
