"""Attacks on a discriminator: its own logits, unlabelled records, an overfit one, a stranger."""

import dataclasses

import numpy as np
import pytest
import torch

from mintmark.data.images import ImageSet
from mintmark.gan.networks import Discriminator
from mintmark.intervals import auc
from mintmark.privacy.detection import detect
from mintmark.privacy.discriminator import attack_discriminator, logit_scores
from mintmark.privacy.memorised import Drill, overfit_discriminator
from mintmark.privacy.parties import Parties
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.strangers import mixtures, stranger_discriminator

DRILL = Drill(steps=120, batch_size=32, learning_rate=3e-3, width=8)


@pytest.fixture(scope="module")
def parties(digits: ImageSet) -> Parties:
    rows = np.random.default_rng(0).permutation(len(digits))
    members, non_members, reference, bystanders = (digits.take(part) for part in np.split(rows, [80, 380, 500]))
    return Parties(
        members=members, non_members=non_members, reference=reference, bystanders=bystanders.take(np.arange(80))
    )


@pytest.fixture(scope="module")
def overfit(parties: Parties) -> Discriminator:
    release = mixtures(parties.reference, num=100, rng=np.random.default_rng(0))
    return overfit_discriminator(release, parties, drill=DRILL, seed=0)


def test_a_score_is_the_logit_of_the_label_and_the_best_one_without_a_label(parties: Parties, overfit: Discriminator):
    images = parties.members.tensors()[0][:4]
    every = torch.stack([overfit(images, torch.full((4,), code)) for code in range(10)], dim=1).detach()
    found = logit_scores(overfit, images, np.array([3, 0, -1, 9]))
    expected = [every[0, 3], every[1, 0], every[2].max(), every[3, 9]]
    assert found == pytest.approx([float(one) for one in expected], rel=1e-5)


def test_an_overfit_discriminator_is_caught(parties: Parties, overfit: Discriminator):
    found = attack_discriminator(overfit, parties, shadows=None)
    assert auc(found["logit"].members, found["logit"].non_members) > 0.65
    assert detect(found, fpr=0.01, level=0.05).detected


def test_a_stranger_is_not(parties: Parties):
    network = stranger_discriminator(parties.bystanders, drill=dataclasses.replace(DRILL, steps=40), seed=0)
    assert not detect(attack_discriminator(network, parties, shadows=None), fpr=0.01, level=0.001).detected


def test_shadows_take_off_what_is_easy_for_everybody(parties: Parties, overfit: Discriminator):
    own = attack_discriminator(overfit, parties, shadows=None)["logit"]
    same = np.concatenate([own.members, own.non_members])
    shadows = Shadows(np.stack([same - 0.5, same - 0.5]), np.stack([np.arange(380) < 80, np.arange(380) >= 80]))
    calibrated = attack_discriminator(overfit, parties, shadows=shadows)["shadow"]
    assert np.concatenate(calibrated) == pytest.approx(np.full(380, 0.5))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 0}, {"width": 0}, {"learning_rate": -1.0}])
def test_a_wrong_drill_is_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        dataclasses.replace(DRILL, **wrong)  # type: ignore[arg-type]
