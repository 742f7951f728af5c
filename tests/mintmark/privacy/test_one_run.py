"""Canaries on twins: an overfit twin is told from a private one, and a broken claim is refuted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mintmark.classify.model import save_classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet
from mintmark.gan.model import save_discriminator, save_generator
from mintmark.gan.networks import Discriminator, Generator
from mintmark.privacy.one_run import Claimed, canary_scores, one_run
from mintmark.privacy.parties import Parties
from mintmark.privacy.queries import PLAIN_FORM
from mintmark.privacy.spaces import open_spaces
from mintmark.shadow.canaries import KINDS, Canaries, make_canaries, planted_among
from mintmark.shadow.store import TWIN, classifier_path, gan_paths, read_store, write_index

BY_HEART = Recipe(steps=400, batch_size=64, learning_rate=5e-3, weight_decay=0.0, width=8)


@pytest.fixture(scope="module")
def parties(digits: ImageSet) -> Parties:
    train, test, reference, rest = (
        digits.take(part) for part in np.split(np.random.default_rng(0).permutation(len(digits)), [200, 800, 1000])
    )
    return Parties(members=train, non_members=test, reference=reference, bystanders=rest)


def scored(folder: Path, lesson: ImageSet, canaries: Canaries, parties: Parties) -> dict[str, np.ndarray]:
    """The canaries' scores on a twin that learnt a lesson by heart."""
    folder.mkdir()
    images, codes = lesson.tensors()
    network = train_classifier(images, codes, num_classes=10, recipe=BY_HEART, seed=0)
    save_classifier(classifier_path(folder, "twin"), network, classes=lesson.classes, facts={})
    write_index(folder, classifiers=[], gans=[], twins=["classifier"], facts={})
    spaces = open_spaces(parties.reference, recipe=replace(BY_HEART, steps=3), seed=0)
    return canary_scores(read_store(folder), canaries, spaces=spaces, forms=(PLAIN_FORM,), own_samples=10, seed=0)


def test_a_twin_that_learnt_canaries_by_heart_refutes_a_claim_and_one_that_never_saw_them_does_not(
    parties: Parties, tmp_path: Path
):
    canaries = make_canaries(parties.non_members, num=600, rng=np.random.default_rng(0))
    leaky = scored(tmp_path / "leaky", planted_among(parties.members, canaries), canaries, parties)
    sound = scored(tmp_path / "sound", parties.members, canaries, parties)
    claims = {"classifier": Claimed(epsilon=0.5, delta=1e-5)}
    found = one_run(leaky, canaries, claims=claims, seed=0)
    (bound,) = found.measurements
    assert bound.name == "classifier_epsilon_bound"
    assert bound.value is not None
    assert bound.value > 1.0
    assert found.contradicted == ("classifier",)
    kinds = {kind: found.facts["classifier"][kind] or 0.0 for kind in KINDS}
    assert bound.value == max(kinds.values())
    assert kinds["mislabelled"] > kinds["natural"]
    assert one_run(leaky, canaries, claims={}, seed=0).contradicted == ()
    honest = one_run(sound, canaries, claims=claims, seed=0)
    assert honest.contradicted == ()
    assert honest.facts["classifier"]["claimed"] == 0.5


def test_a_gans_twin_that_never_saw_canaries_refutes_nothing(parties: Parties, tmp_path: Path):
    canaries = make_canaries(parties.non_members, num=60, rng=np.random.default_rng(0))
    generator_path, discriminator_path = gan_paths(tmp_path, TWIN)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(8, 8, 1), num_classes=10, latent_size=4, width=4)
        discriminator = Discriminator(shape=(8, 8, 1), num_classes=10, width=4)
    save_generator(generator_path, generator, classes=parties.members.classes, facts={})
    save_discriminator(discriminator_path, discriminator, classes=parties.members.classes, facts={})
    write_index(tmp_path, classifiers=[], gans=[], twins=["gan"], facts={})
    spaces = open_spaces(parties.reference, recipe=replace(BY_HEART, steps=3), seed=0)
    scores = canary_scores(read_store(tmp_path), canaries, spaces=spaces, forms=(PLAIN_FORM,), own_samples=50, seed=0)
    assert {threat: found.shape for threat, found in scores.items()} == {"generator": (2, 60), "discriminator": (1, 60)}
    assert all(np.isfinite(found).all() and np.ptp(found) > 0 for found in scores.values())
    found = one_run(scores, canaries, claims={"generator": Claimed(epsilon=1.0, delta=1e-5)}, seed=0)
    assert {one.name for one in found.measurements} == {"generator_epsilon_bound", "discriminator_epsilon_bound"}
    assert found.contradicted == ()
