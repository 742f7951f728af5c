"""Canaries on twins: an overfit twin is told from a private one, and a broken claim is refuted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mintmark.classify.model import save_classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet
from mintmark.privacy.one_run import Claimed, canary_scores, one_run
from mintmark.privacy.parties import Parties
from mintmark.privacy.queries import PLAIN_FORM
from mintmark.privacy.spaces import open_spaces
from mintmark.shadow.canaries import KINDS, Canaries, make_canaries, planted_among
from mintmark.shadow.store import classifier_path, read_store, write_index

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
    return canary_scores(
        read_store(folder), canaries, parties, spaces=spaces, forms=(PLAIN_FORM,), own_samples=10, seed=0
    )


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
