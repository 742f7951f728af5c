"""Controls: what they train on, and that each can fail."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintmark.classify.augmentation import PLAIN, Augmentation
from mintmark.classify.training import Recipe
from mintmark.errors import BadInput
from mintmark.utility.arms import Material
from mintmark.utility.controls import CONTROL_FITS, control_fits, exchange_classes, halves, judge_controls

RECIPE = Recipe(
    steps=10, batch_size=8, learning_rate=0.01, weight_decay=0.0, width=4, augmentation=Augmentation(flip=1.0)
)


@given(num_classes=st.integers(2, 12), seed=st.integers(0, 1000))
def test_every_class_becomes_another_and_none_is_lost(num_classes, seed):
    codes = np.arange(num_classes)
    exchanged = exchange_classes(codes, num_classes=num_classes, rng=np.random.default_rng(seed))
    assert sorted(exchanged) == list(range(num_classes))
    assert not (exchanged == codes).any()


def test_halves_split_every_class_and_share_no_record(toy_images):
    images = toy_images(num=31)
    first, second = halves(images, rng=np.random.default_rng(0))
    assert sorted([*first.ids, *second.ids]) == sorted(images.ids)
    assert Counter(second.codes.tolist()) == {0: 5, 1: 5, 2: 5}
    assert Counter(first.codes.tolist()) == {0: 6, 1: 5, 2: 5}
    with pytest.raises(BadInput, match="at least 2 labelled records"):
        halves(toy_images(num=3), rng=np.random.default_rng(0))


def test_controls_take_half_of_every_batch_with_hard_labels_and_no_augmentation(toy_images):
    material = Material(toy_images(num=30), toy_images(num=9), toy_images(num=60, seed=2))
    fits = control_fits(material, seeds=[4, 5], recipe=RECIPE, rng=np.random.default_rng(0))
    assert [(one.name, one.seed) for one in fits] == [(name, seed) for name in CONTROL_FITS for seed in (4, 5)]
    assert all(one.recipe.augmentation == PLAIN for one in fits)
    shuffled, half, held_back = fits[0], fits[2], fits[4]
    assert half.addition is None
    assert shuffled.addition is not None
    assert held_back.addition is not None
    assert shuffled.addition.share == held_back.addition.share == 0.5
    assert shuffled.images is material.train.images
    assert not (shuffled.addition.labels == material.release.codes).any()
    assert half.images is held_back.images
    assert len(half.images) + len(held_back.addition.images) == 30


def outcomes(**rates: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: (rng.random((8, 300)) < rate).astype(float) for name, rate in rates.items()}


def test_controls_pass_when_harm_is_seen_and_good_data_are_not_accused():
    found = judge_controls(outcomes(real=0.9, shuffled=0.5, half=0.85, half_held_back=0.9), margin=0.005)
    assert [(one.name, one.passed) for one in found] == [("shuffled", True), ("held_back", True)]
    assert found[0].found.value == pytest.approx(-0.4, abs=0.05)


@pytest.mark.parametrize(
    ("rates", "failed"),
    [
        ({"real": 0.9, "shuffled": 0.9, "half": 0.9, "half_held_back": 0.9}, "shuffled"),
        ({"real": 0.9, "shuffled": 0.5, "half": 0.9, "half_held_back": 0.7}, "held_back"),
    ],
)
def test_a_control_can_fail(rates, failed):
    found = judge_controls(outcomes(**rates), margin=0.005)
    assert [one.name for one in found if not one.passed] == [failed]
