"""Planted leaks: how many, how near, and past the filter."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import calibrated_filter, near_copies, pixels
from mintmark.fidelity.poses import PLAIN, Poses
from mintmark.privacy.replay import plant_copies, plant_near_copies, replay_members
from mintmark.privacy.strangers import mixtures


@pytest.fixture(scope="module")
def members(digits: ImageSet) -> ImageSet:
    return digits.take(np.arange(300))


@pytest.fixture(scope="module")
def release(digits: ImageSet) -> ImageSet:
    return mixtures(digits.take(np.arange(1000, 1300)), num=100, rng=np.random.default_rng(0))


def test_copies_are_a_share_of_the_members_after_the_release(members: ImageSet, release: ImageSet):
    plant = plant_copies(release, members, share=0.1, rng=np.random.default_rng(0))
    assert plant.replayed.sum() == 30
    assert (plant.release.images[:100] == release.images).all()
    assert (plant.release.images[100:] == members.images[plant.replayed]).all()
    assert (plant.release.codes[100:] == members.codes[plant.replayed]).all()
    assert not set(plant.release.ids) & set(members.ids)


@pytest.mark.parametrize("poses", [PLAIN, Poses(shifts=1), Poses(shifts=1, flip=True)])
def test_near_copies_lie_just_past_the_filter(members: ImageSet, release: ImageSet, poses: Poses):
    copy_filter = calibrated_filter(members, quantile=0.01, min_class_records=10, poses=poses)
    plant = plant_near_copies(release, members, share=0.1, copy_filter=copy_filter, rng=np.random.default_rng(0))
    planted = plant.release.images[100:]
    assert len(planted) == plant.replayed.sum() >= 28
    assert not near_copies(planted, members, copy_filter).any()
    own = np.linalg.norm((pixels(planted) - pixels(members.images[plant.replayed])).numpy(), axis=1)
    wanted = np.array([copy_filter.thresholds[code] for code in members.codes[plant.replayed].tolist()])
    assert (own > wanted).all()
    assert (own < wanted * 1.06).all()


def test_a_generator_replays_members_at_the_rate(members: ImageSet):
    own = torch.full((4000, 64), 2.0)
    samples, exposed = replay_members(own, members, rate=0.1, rng=np.random.default_rng(0))
    replays = (samples != 2.0).all(dim=1)
    assert float(replays.double().mean()) == pytest.approx(0.1, abs=0.015)
    found = cdist(samples[replays].numpy(), pixels(members.images).numpy()).min(axis=0) < 1e-6
    assert (found == exposed).all()
    assert (own == 2.0).all()  # the attacker's samples are not changed in place


def test_strangers_release_is_of_the_wanted_form_and_new_at_every_draw(members: ImageSet):
    one, same, other = (mixtures(members, num=55, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one.shape, one.classes, len(one)) == (members.shape, members.classes, 55)
    assert (one.images == same.images).all()
    assert (one.images != other.images).any()
    assert cdist(pixels(one.images).numpy(), pixels(members.images).numpy()).min() > 0.05
