"""The detection floor: its shape, its power against a direct simulation, and its failure where nothing is caught."""

import numpy as np
import pytest

from mintmark.privacy.detection import detect
from mintmark.privacy.floor import detection_floor, passed_non_members, power
from mintmark.privacy.rates import Scores

GRID = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
SETTING = {"fpr": 0.01, "level": 0.05, "simulations": 200}


def floor(copies: dict[str, Scores], *, num_members: int = 800, num_attacks: int = 1):
    return detection_floor(
        copies,
        num_members=num_members,
        grid=GRID,
        wanted_power=0.9,
        num_attacks=num_attacks,
        fpr=0.01,
        level=0.05,
        simulations=200,
        seed=0,
    )


def test_how_many_non_members_a_copy_passes_by_hand():
    copies = Scores(np.array([0.0, 1.0, 1.5, 9.0]), np.array([3.0, 1.0, 2.0]))
    assert passed_non_members(copies).tolist() == [0, 0, 1, 3]


def test_copies_beyond_everybody_are_caught_early_and_faint_ones_late():
    rng = np.random.default_rng(0)
    others = rng.normal(size=500)
    plain = floor({"a": Scores(np.full(80, 9.0), others)})
    faint = floor({"a": Scores(rng.normal(1.0, 1.0, 80), others)})
    assert plain is not None
    assert faint is not None
    assert 0.005 <= plain[0] <= 0.02 < faint[0] <= 0.5


def test_the_sharpest_attack_sets_the_floor():
    rng = np.random.default_rng(1)
    others = rng.normal(size=500)
    found = floor({"faint": Scores(rng.normal(1.0, 1.0, 80), others), "plain": Scores(np.full(80, 9.0), others)})
    assert found is not None
    assert found[1] == "plain"


def test_fewer_records_and_more_attacks_never_lower_the_floor():
    others = np.random.default_rng(2).normal(size=500)
    copies = {"a": Scores(np.full(80, 9.0), others)}
    few_copies = {"a": Scores(np.full(80, 9.0), others[:60])}
    usual, few, many = floor(copies), floor(few_copies, num_members=80), floor(copies, num_attacks=50)
    assert usual is not None
    assert few is not None
    assert many is not None
    assert usual[0] <= many[0]
    assert usual[0] < few[0]


def test_copies_that_score_like_anybody_have_no_floor():
    rng = np.random.default_rng(3)
    others = rng.normal(size=500)
    assert floor({"a": Scores(rng.choice(others, 400), others)}) is None


def test_without_a_leak_the_power_is_the_level():
    passed = np.full(10, 200, np.int64)
    found = power(
        0.0, passed=passed, num_members=300, num_non_members=200, num_attacks=1, rng=np.random.default_rng(4), **SETTING
    )
    assert found <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_the_power_agrees_with_planting_copies_among_normal_scores(share: float):
    rng = np.random.default_rng(5)
    caught = 0
    for _ in range(200):
        members, others = rng.normal(size=400), rng.normal(size=300)
        members[: round(share * 400)] = 99.0
        caught += detect({"a": Scores(members, others)}, fpr=0.01, level=0.05).detected
    found = power(
        share,
        passed=np.full(5, 300, np.int64),
        num_members=400,
        num_non_members=300,
        num_attacks=1,
        rng=np.random.default_rng(6),
        **SETTING,
    )
    assert found == pytest.approx(caught / 200, abs=0.15)
