"""Training: it learns, it repeats itself, arms stay paired, and small or odd data are served or refused."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.model import logits
from mintmark.classify.training import Recipe, Synthetic, _draws, one_cycle, train_classifier, training_steps
from mintmark.errors import BadInput

RECIPE = Recipe(steps=40, batch_size=16, learning_rate=0.01, weight_decay=0.01, width=4)


@pytest.fixture(scope="module")
def toys(toy_images):
    return toy_images(num=60).tensors()


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_it_learns_what_is_there_to_learn(toys, toy_images):
    network = train_classifier(*toys, num_classes=3, recipe=RECIPE, seed=0)
    images, codes = toy_images(num=90, seed=1).tensors()
    assert float((logits(network, images).argmax(1) == codes).float().mean()) > 0.95
    assert not network.training


def test_the_same_seed_gives_the_same_weights_and_another_does_not(toys):
    first, second, third = (train_classifier(*toys, num_classes=3, recipe=RECIPE, seed=seed) for seed in (7, 7, 8))
    assert same(first, second)
    assert not same(first, third)


def test_the_global_random_state_neither_matters_nor_changes(toys):
    torch.manual_seed(1)
    first = train_classifier(*toys, num_classes=3, recipe=RECIPE, seed=0)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert same(first, train_classifier(*toys, num_classes=3, recipe=RECIPE, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_arms_of_one_seed_start_alike_and_draw_the_same_real_records(toys, monkeypatch):
    drawn: list[torch.Tensor] = []

    def spy(images, augmentation, *, generator):
        drawn.append(images)
        return images

    monkeypatch.setattr("mintmark.classify.training.bend", spy)
    images, codes = toys
    synthetic = Synthetic(images=-images, labels=codes, share=0.25)
    plain, mixed = (
        list(islice(training_steps(images, codes, num_classes=3, recipe=RECIPE, seed=0, synthetic=one), 3))
        for one in (None, synthetic)
    )
    assert len(plain) == len(mixed) == 3
    for alone, beside in zip(drawn[:3], drawn[3:], strict=True):
        assert len(alone) == len(beside) == 16
        assert torch.equal(alone[:12], beside[:12])  # a quarter of sixteen is synthetic
        assert not any(torch.equal(one, other) for one in beside[12:] for other in images)


def test_the_loop_stops_where_the_caller_stops(toys):
    numbers = [step.number for step in islice(training_steps(*toys, num_classes=3, recipe=RECIPE, seed=0), 5)]
    assert numbers == [1, 2, 3, 4, 5]


def test_a_share_of_wrong_labels_is_learnt_with_the_right_ones(toys):
    """Half of every batch says otherwise: the network must believe both labels about equally."""
    images, codes = toys
    synthetic = Synthetic(images=images, labels=(codes + 1) % 3, share=0.5)
    network = train_classifier(
        images, codes, num_classes=3, recipe=replace(RECIPE, steps=80), seed=0, synthetic=synthetic
    )
    belief = logits(network, images).softmax(1)
    rows = torch.arange(len(codes))
    assert 0.35 < float(belief[rows, codes].mean()) < 0.65
    assert 0.35 < float(belief[rows, (codes + 1) % 3].mean()) < 0.65


def test_soft_labels_that_are_certain_train_as_hard_ones(toys):
    images, codes = toys
    hard = Synthetic(images=images, labels=codes, share=0.5)
    soft = Synthetic(images=images, labels=torch.nn.functional.one_hot(codes, 3).float(), share=0.5)
    first, second = (
        train_classifier(images, codes, num_classes=3, recipe=RECIPE, seed=0, synthetic=one) for one in (hard, soft)
    )
    assert same(first, second)


def test_unlabelled_records_are_left_out(toys):
    images, codes = toys
    padded = torch.cat([images, torch.ones(9, 1, 8, 8)]), torch.cat([codes, torch.full((9,), -1)])
    first = train_classifier(images, codes, num_classes=3, recipe=RECIPE, seed=0)
    assert same(first, train_classifier(*padded, num_classes=3, recipe=RECIPE, seed=0))


def test_fewer_records_than_a_batch_and_an_absent_class_are_served(toys):
    images, codes = toys
    few = images[:4], codes[:4]  # classes 0, 1, 2, 0
    network = train_classifier(*few, num_classes=5, recipe=RECIPE, seed=0)
    assert logits(network, images).shape == (60, 5)


@pytest.mark.parametrize("augmentation", [Augmentation(shift=0.1, rotation=5.0), Augmentation(mixup=0.3, cutout=0.2)])
def test_an_augmentation_takes_part(toys, augmentation):
    plain = train_classifier(*toys, num_classes=3, recipe=RECIPE, seed=0)
    bent = train_classifier(*toys, num_classes=3, recipe=replace(RECIPE, augmentation=augmentation), seed=0)
    assert not same(plain, bent)


def test_every_record_is_drawn_once_before_any_is_drawn_again():
    draws = _draws(10, 4, torch.Generator().manual_seed(0))
    rows = torch.cat([next(draws) for _ in range(5)])
    assert sorted(rows[:10].tolist()) == sorted(rows[10:].tolist()) == list(range(10))
    assert len(next(_draws(3, 8, torch.Generator().manual_seed(0)))) == 8


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = np.array([one_cycle(step / 100) for step in range(1, 101)])
    assert int(rates.argmax()) in {28, 29, 30}
    assert rates.max() == pytest.approx(1.0, abs=1e-3)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert rates[0] == pytest.approx(0.0426, abs=1e-3)


def test_nothing_labelled_or_a_code_beyond_the_classes_is_refused(toys):
    images, codes = toys
    with pytest.raises(BadInput, match="at least one with a label"):
        train_classifier(images, torch.full_like(codes, -1), num_classes=3, recipe=RECIPE, seed=0)
    with pytest.raises(BadInput, match="expected 0 to 1, got 2"):
        train_classifier(images, codes, num_classes=2, recipe=RECIPE, seed=0)


def test_a_loss_that_is_not_finite_stops_before_the_step(toys):
    images, codes = toys
    with pytest.raises(FloatingPointError, match="step 1: loss and gradient must be finite"):
        train_classifier(images * float("nan"), codes, num_classes=3, recipe=RECIPE, seed=0)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 1}, {"width": 0}, {"learning_rate": 0.0}])
def test_a_recipe_out_of_range_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(RECIPE, **wrong)


def test_a_share_of_nothing_or_all_is_refused(toys):
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match="share must lie between"):
            Synthetic(images=toys[0], labels=toys[1], share=share)
