"""Labellers that see the unlabelled records: what they hand over, who their rivals are, and that it is the truth more often."""

from dataclasses import replace

import numpy as np
import pytest

from mintmark.classify.networks import SmallCNN
from mintmark.semi_supervised.propagation import Spreading
from mintmark.semi_supervised.pseudo_labels import PseudoLabels
from mintmark.semi_supervised.recipe import Recipe
from mintmark.utility.labellers import GAN_STUDENT, Unlabelled, spread, students_with_gan, surely
from mintmark.utility.students import Lesson

GAN = Recipe(
    form="dense",
    steps=150,
    latent_size=8,
    generator_width=16,
    discriminator_width=64,
    input_noise=0.1,
    hidden_noise=0.1,
    labelled_batch_size=30,
    batch_size=32,
    learning_rate=3e-3,
    beta1=0.5,
    adversarial_weight=1.0,
    ema_decay=0.9,
    precision="float32",
)
SPREADING = Spreading(neighbours=7, alpha=0.9)
HOW = PseudoLabels(confidence=0.5, spreading=SPREADING, gan=GAN)


@pytest.fixture
def lesson(digits) -> tuple[Lesson, np.ndarray]:
    """Five labelled digits a class and 200 without their label, whose truth stands beside."""
    rows = np.random.default_rng(0).permutation(len(digits))
    few = np.concatenate([rows[digits.codes[rows] == code][:5] for code in range(10)])
    rest = np.setdiff1d(rows, few)[:200]
    unlabelled = digits.take(rest)
    hidden = replace(unlabelled, codes=np.full(len(rest), -1))
    return Lesson(3, digits.take(few), hidden, SmallCNN((8, 8, 1), 10, 2).eval()), unlabelled.codes


@pytest.mark.parametrize("student", students_with_gan(HOW), ids=lambda one: one.name)
def test_every_labeller_gives_beliefs_that_its_seed_determines(lesson, student):
    images, beliefs = student.label(lesson[0])
    assert len(images) == len(beliefs)
    assert beliefs.shape[1] == 10
    np.testing.assert_allclose(beliefs.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(student.label(lesson[0]).beliefs, beliefs)


@pytest.mark.parametrize(
    "label", [lambda one: spread(one, spreading=SPREADING), lambda one: surely(one, how=replace(HOW, confidence=0.0))]
)
def test_what_has_seen_labels_is_right_far_more_often_than_by_chance(lesson, label):
    found, truth = label(lesson[0]), lesson[1]
    assert (found.beliefs.argmax(axis=1) == truth).mean() > 0.5


def test_the_last_students_are_taught_what_two_labellers_are_sure_of_together_and_all_where_they_are_sure_of_none(
    lesson,
):
    given, truth = lesson
    sure, every = surely(given, how=HOW), surely(given, how=replace(HOW, confidence=0.0))
    assert 0 < len(sure.images) < len(every.images) == len(truth)
    assert sure.beliefs.max(axis=1).min() >= HOW.confidence
    assert len(surely(given, how=replace(HOW, confidence=1.0 - 1e-9)).images) == len(truth)


def test_the_gan_must_beat_every_control_and_the_augmented_arm():
    *controls, gan = students_with_gan(HOW)
    assert gan.name == GAN_STUDENT
    assert set(gan.rivals) == {"augmented", *(one.name for one in controls)}


def test_students_with_a_gan_run_only_where_something_is_unlabelled(digits):
    unlabelled = Unlabelled(share=0.5, confidence=0.5, spreading=SPREADING, gan=GAN)
    assert unlabelled.school(digits).students == ()
    hidden = replace(digits, codes=np.where(np.arange(len(digits)) < 9, -1, digits.codes))
    assert len(unlabelled.school(hidden).students) == 5


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Spreading(neighbours=0, alpha=0.5), "neighbours must be at least 1, got 0"),
        (lambda: Spreading(neighbours=3, alpha=1.0), "alpha must lie between 0 and 1, got 1.0"),
        (
            lambda: Unlabelled(share=0.0, confidence=0.5, spreading=SPREADING, gan=GAN),
            "share must lie between 0 and 1, got 0.0",
        ),
    ],
)
def test_numbers_out_of_range_are_refused(made, said: str):
    with pytest.raises(ValueError, match=said):
        made()
