"""The contest on digits whose truth is known: new information helps, wrong labels hurt, copies add nothing."""

from dataclasses import replace

import numpy as np
import pytest

from mintmark.data.images import ImageSet
from mintmark.errors import BadInput
from mintmark.utility.arms import ARMS, Material
from mintmark.utility.contest import Plan, Settled, hold, outcome, settle
from mintmark.utility.controls import CONTROL_FITS, exchange_classes
from mintmark.utility.findings import Findings, find
from mintmark.utility.shipping import kept_facts, ship
from mintmark.utility.stopping import Looks

LOOKS = Looks((5,))
SEEDS = [11, 12, 13, 14, 15, 16, 17]


def contested(material: Material, test: ImageSet, *, looks: Looks = LOOKS, **others) -> tuple[Settled, Findings]:
    plan = Plan(material=material, control_seed=0, **others)
    first = hold(plan, seeds=SEEDS[: looks.seeds[0]])
    settled = settle(first, plan, test, seeds=SEEDS, looks=looks, margin=0.01)
    on_release = outcome(settled.contest.networks["real"], material.release)
    curve = {len(material.train) // 2: settled.outcomes["half"]}
    num_train = len(material.train)
    return settled, find(
        settled, curve, on_release=on_release, test=test, num_train=num_train, margin=0.01, kept="synthetic"
    )


@pytest.fixture(scope="module")
def informed(scarce, recipe, choices, crew):
    material, test = scarce
    return contested(material, test, recipe=recipe, choices=choices, crew=crew)


def test_a_release_that_truly_adds_information_helps(informed):
    settled, findings = informed
    assert findings.verdict == "helps"
    assert findings.advantage.low > 0.02
    assert findings.share.value > 0.05  # a thousand true records alone beat twenty
    assert all(control.passed for control in findings.controls)
    assert settled.contest.synthetic_arm in {"real_synthetic", "augmented_synthetic"}


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
    assert findings.verdict in {"no evidence", "within margin"}
    assert abs(findings.share.value) < 0.03


def test_an_answer_at_the_first_look_ends_the_contest(informed, scarce, recipe, choices, crew):
    material, test = scarce
    first = informed[0].contest  # as it stands after five seeds
    plan = Plan(material=material, control_seed=0, recipe=recipe, choices=choices, crew=crew)
    answered = settle(first, plan, test, seeds=SEEDS, looks=Looks((5, 7)), margin=0.01)
    assert (answered.look, answered.reason) == (0, "answered")
    assert len(answered.outcomes["real"]) == 5


def test_an_open_question_goes_on_and_rounds_add_up(scarce, recipe, choices, crew):
    """Seven seeds in two rounds are the seven seeds of one."""
    material, test = scarce
    common = {"recipe": replace(recipe, steps=8), "choices": choices, "crew": crew}
    few = test.take(np.arange(40))
    wrong = exchange_classes(material.release.codes, num_classes=10, rng=np.random.default_rng(5))
    confused = material._replace(release=replace(material.release, codes=wrong))  # the shuffled control cannot fire
    late, _ = contested(confused, few, looks=Looks((5, 7)), **common)
    whole, _ = contested(confused, few, looks=Looks((7,)), **common)
    assert (late.look, late.reason) == (1, "budget spent")
    assert late.outcomes.keys() == whole.outcomes.keys()
    assert all(np.array_equal(late.outcomes[name], whole.outcomes[name]) for name in whole.outcomes)
    assert {len(networks) for networks in late.contest.networks.values()} == {7}


def test_every_arm_and_control_has_a_network_a_seed(informed):
    contest = informed[0].contest
    assert set(contest.networks) == {*ARMS, *CONTROL_FITS}
    assert {len(networks) for networks in contest.networks.values()} == {5}


def test_the_finalists_are_the_best_on_validation(informed):
    contest = informed[0].contest
    assert contest.scores[contest.best_rival] == max(contest.scores["real"], contest.scores["augmented"])
    mixed = max(contest.scores["real_synthetic"], contest.scores["augmented_synthetic"])
    assert contest.scores[contest.synthetic_arm] == mixed


def test_the_network_that_ships_is_the_best_of_the_arms_allowed(informed, scarce, recipe, choices, crew):
    contest = informed[0].contest
    material, _ = scarce
    plan = Plan(material=material, choices=choices, recipe=recipe, control_seed=0, crew=crew)
    shipped = ship(plan, contest, arms=["real", "gan_student"], seeds=SEEDS[:5])
    assert shipped.arm == "real"
    accuracies = outcome(contest.networks["real"], material.validation).mean(axis=1)
    assert accuracies[shipped.place] == accuracies.max() == pytest.approx(shipped.score.accuracy)
    assert shipped.network is contest.networks["real"][shipped.place]
    assert ship(plan, contest, arms=ARMS, seeds=SEEDS[:5]).arm != "real"
    assert kept_facts(shipped, plan)["recipe"]["steps"] == recipe.steps
    with pytest.raises(BadInput, match=r"evaluate\.shippable: expected an arm that takes part, got \['gan_student'\]"):
        ship(plan, contest, arms=["gan_student"], seeds=SEEDS[:5])


def test_an_outcome_marks_right_answers(informed, scarce):
    contest = informed[0].contest
    _, test = scarce
    found = outcome(contest.networks["synthetic"], test)
    wrong = outcome(contest.networks["synthetic"], replace(test, codes=(test.codes + 1) % 10))
    assert set(np.unique(found)) <= {0.0, 1.0}
    assert found.mean() > 0.8
    assert wrong.mean() < 0.1
