"""Pseudo-labels: what carries a label keeps it, the sure guesses are mostly right, and the rest is left out."""

from dataclasses import replace

import numpy as np
import pytest

from mintmark.data.images import ImageSet
from mintmark.semi_supervised.propagation import Spreading, spread_labels
from mintmark.semi_supervised.pseudo_labels import PseudoLabels, beliefs, pseudo_labelled
from mintmark.semi_supervised.recipe import Recipe

HOW = PseudoLabels(
    confidence=0.6,
    spreading=Spreading(neighbours=7, alpha=0.9),
    gan=Recipe(
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
    ),
)


@pytest.fixture(scope="module")
def few(digits: ImageSet) -> tuple[ImageSet, np.ndarray]:
    """Five labelled digits a class and 250 without their label, whose truth stands beside."""
    rows = np.random.default_rng(0).permutation(len(digits))[:300]
    codes = digits.codes[rows]
    keep = np.concatenate([np.flatnonzero(codes == code)[:5] for code in range(10)])
    return replace(digits.take(rows), codes=np.where(np.isin(np.arange(300), keep), codes, -1)), codes


def test_labels_stay_and_sure_guesses_are_right_more_often_than_all(few):
    images, truth = few
    found = pseudo_labelled(images, HOW, seed=1)
    places = {one: place for place, one in enumerate(images.ids)}
    rows = np.array([places[one] for one in found.ids])
    assert np.all(np.diff(rows) > 0)
    known = images.codes[rows] >= 0
    assert known.sum() == (images.codes >= 0).sum()
    assert np.array_equal(found.codes[known], truth[rows][known])
    guessed = beliefs(images, HOW, seed=1)
    unlabelled = images.codes < 0
    of_all = (guessed.argmax(axis=1) == truth)[unlabelled].mean()
    assert 60 < (~known).sum() < unlabelled.sum()
    assert (found.codes == truth[rows])[~known].mean() > of_all + 0.02 > 0.6


def test_beliefs_are_probabilities_that_the_seed_determines_and_the_watch_sees_every_step(few):
    images, _ = few
    seen = []

    def watch(steps):
        for step in steps:
            seen.append(step.number)
            yield step

    found = beliefs(images, HOW, seed=2, watch=watch)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(beliefs(images, HOW, seed=2), found)
    assert not np.array_equal(beliefs(images, HOW, seed=3), found)
    assert seen == list(range(1, 151))


@pytest.mark.parametrize(("adversarial_weight", "sees"), [(0.0, False), (1.0, True)])
def test_the_network_sees_unlabelled_records_only_through_the_gan(few, adversarial_weight, sees):
    """What it believes of labelled records, before and after the others are turned into their negatives."""
    images, _ = few
    how = replace(HOW, gan=replace(HOW.gan, adversarial_weight=adversarial_weight))
    unlabelled = images.codes < 0
    negatives = replace(images, images=np.where(unlabelled[:, None, None, None], 255 - images.images, images.images))
    before, after = (_of_network(one, how)[~unlabelled] for one in (images, negatives))
    assert np.allclose(before, after, atol=1e-5) != sees


def _of_network(images: ImageSet, how: PseudoLabels) -> np.ndarray:
    """The part of the beliefs that is not the neighbours'."""
    pixels, codes = images.tensors()
    spread = spread_labels(pixels.flatten(1), codes, num_classes=10, neighbours=7, alpha=0.9)
    return 2 * beliefs(images, how, seed=1) - spread.numpy()


def test_where_all_is_labelled_nothing_is_trained_and_nothing_changes(digits):
    some = digits.take(np.arange(20))

    def watch(_):
        raise AssertionError("nothing to label")

    assert pseudo_labelled(some, HOW, seed=1, watch=watch) is some


def test_a_confidence_that_no_belief_exceeds_is_refused():
    with pytest.raises(ValueError, match=r"confidence must lie in \[0, 1\), got 1.0"):
        replace(HOW, confidence=1.0)
