"""The contest on digits whose truth is known: new information helps, wrong labels hurt, copies add nothing."""

from dataclasses import replace

import numpy as np
import pytest

from mintmark.data.images import ImageSet
from mintmark.utility.arms import ARMS, Material
from mintmark.utility.contest import Contest, hold, outcome, ship
from mintmark.utility.controls import CONTROL_FITS, exchange_classes
from mintmark.utility.findings import Findings, find

SEEDS = [11, 12, 13, 14, 15]


def contested(material: Material, test: ImageSet, **others) -> tuple[Contest, Findings]:
    contest = hold(material, seeds=SEEDS, rng=np.random.default_rng(0), **others)
    on_release = outcome(contest.networks["real"], material.release)
    return contest, find(contest, contest.ask_test(test), on_release=on_release, test=test, margin=0.01)


@pytest.fixture(scope="module")
def informed(scarce, recipe, choices, crew):
    material, test = scarce
    return contested(material, test, recipe=recipe, choices=choices, crew=crew)


def test_a_release_that_truly_adds_information_helps(informed):
    contest, findings = informed
    assert findings.verdict == "helps"
    assert findings.advantage.low > 0.02
    assert findings.share.value > 0.05  # a thousand true records alone beat twenty
    assert all(control.passed for control in findings.controls)
    assert contest.synthetic_arm in {"real_synthetic", "augmented_synthetic"}


def test_a_release_with_exchanged_classes_hurts(scarce, recipe, choices, crew):
    material, test = scarce
    wrong = exchange_classes(material.release.codes, num_classes=10, rng=np.random.default_rng(5))
    material = material._replace(release=replace(material.release, codes=wrong))
    _, findings = contested(material, test, recipe=recipe, choices=choices, crew=crew)
    assert findings.advantage.high < -0.05
    assert findings.share.high < -0.5


def test_copies_of_the_training_set_are_no_evidence(digits, recipe, choices, crew):
    rows = np.random.default_rng(1).permutation(len(digits))
    train, validation, test = (digits.take(part) for part in (rows[:400], rows[400:500], rows[500:1100]))
    _, findings = contested(Material(train, validation, train), test, recipe=recipe, choices=choices, crew=crew)
    assert findings.verdict == "no evidence"
    assert abs(findings.share.value) < 0.03


def test_every_arm_and_control_has_a_network_a_seed(informed):
    contest, _ = informed
    assert set(contest.networks) == {*ARMS, *CONTROL_FITS}
    assert {len(networks) for networks in contest.networks.values()} == {len(SEEDS)}


def test_the_finalists_are_the_best_on_validation(informed):
    contest, _ = informed
    assert contest.scores[contest.best_rival] == max(contest.scores["real"], contest.scores["augmented"])
    mixed = max(contest.scores["real_synthetic"], contest.scores["augmented_synthetic"])
    assert contest.scores[contest.synthetic_arm] == mixed


def test_the_network_that_ships_is_the_best_of_the_arms_allowed(informed, scarce):
    contest, _ = informed
    material, _ = scarce
    shipped = ship(contest, material.validation, arms=["real"])
    assert shipped.arm == "real"
    accuracies = outcome(contest.networks["real"], material.validation).mean(axis=1)
    assert accuracies[shipped.place] == accuracies.max() == pytest.approx(shipped.score.accuracy)
    assert shipped.network is contest.networks["real"][shipped.place]
    assert ship(contest, material.validation, arms=ARMS).arm != "real"


def test_an_outcome_marks_right_answers(informed, scarce):
    contest, _ = informed
    _, test = scarce
    found = outcome(contest.networks["synthetic"], test)
    wrong = outcome(contest.networks["synthetic"], replace(test, codes=(test.codes + 1) % 10))
    assert set(np.unique(found)) <= {0.0, 1.0}
    assert found.mean() > 0.8
    assert wrong.mean() < 0.1
