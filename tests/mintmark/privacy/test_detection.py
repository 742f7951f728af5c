"""The tests of chance: against SciPy, by hand, exact under the null, and of one record's many draws."""

import numpy as np
import pytest
from scipy import stats

from mintmark.intervals import auc
from mintmark.privacy.detection import (
    BROAD_RATE,
    STATISTICS,
    TESTS_PER_ATTACK,
    beyond_p_value,
    detect,
    num_beyond,
    p_values,
    pooled,
    rank_sum,
)
from mintmark.privacy.rates import Scores


@pytest.mark.parametrize("ties", [False, True])
def test_the_rank_sum_agrees_with_scipy(ties):
    rng = np.random.default_rng(0)
    members, others = rng.normal(0.3, 1.0, 40), rng.normal(size=60)
    if ties:
        members, others = members.round(), others.round()
    found, deviation = rank_sum(Scores(members, others))
    reference = stats.mannwhitneyu(members, others, alternative="greater", method="asymptotic", use_continuity=False)
    assert float(found) == pytest.approx(auc(members, others))
    assert stats.norm.sf((found - 0.5) / deviation) == pytest.approx(reference.pvalue, rel=1e-9)


def test_the_number_beyond_by_hand():
    scores = Scores(np.array([5.0, 4.0, 3.0, 1.0]), np.array([4.0, 2.0, 0.0]))
    assert num_beyond(scores, order=1) == 1  # a tie is not beyond
    assert num_beyond(scores, order=2) == 3


def test_the_exceedance_law_by_hand():
    """One member, three non-members: it is the largest of four with probability 1/4, among the two largest with 1/2."""
    hits = np.array([0, 1])
    assert beyond_p_value(hits, num_members=1, num_non_members=3, order=1) == pytest.approx([1.0, 0.25])
    assert beyond_p_value(hits, num_members=1, num_non_members=3, order=2) == pytest.approx([1.0, 0.5])
    # two members beyond all of three others: 2! 3! / 5! = 1/10
    two = beyond_p_value(np.array([2]), num_members=2, num_non_members=3, order=1)
    assert two == pytest.approx([0.1])


def test_every_test_of_every_side_holds_its_level_where_membership_is_a_coin():
    rng = np.random.default_rng(4)
    found = p_values(Scores(rng.random((4000, 160)), rng.random((4000, 110))), fpr=0.01)
    assert found.shape == (TESTS_PER_ATTACK, 4000)
    for level in (0.05, 0.01):
        slack = 3.5 * np.sqrt(level * (1 - level) / 4000)
        assert ((found <= level).mean(axis=1) <= level + slack).all()


def test_detection_as_a_whole_holds_its_level_whatever_the_attacks_share():
    rng = np.random.default_rng(5)
    false = 0
    for _ in range(400):
        easy = rng.normal(size=250)  # what all attacks see of a record
        attacks = {}
        for name in "abc":
            scores = easy + rng.normal(size=250)
            attacks[name] = Scores(scores[:150], scores[150:])
        false += detect(attacks, fpr=0.01, level=0.05).detected
    assert false / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("side", ["high", "low"])
def test_a_leak_is_detected_on_either_side(side: str):
    rng = np.random.default_rng(6)
    scores = Scores(rng.normal(size=400), rng.normal(size=300))
    scores.members[:40] += 20.0 if side == "high" else -20.0
    found = detect({"blunt": Scores(rng.normal(size=400), rng.normal(size=300)), "sharp": scores}, fpr=0.01, level=0.05)
    assert (found.detected, found.by, found.side) == (True, "sharp", side)
    assert found.statistic in STATISTICS[1:]
    assert 0.05 < found.low < 0.1 < found.value + 0.02
    assert found.chance == 0.0


def test_a_shift_of_everybody_is_seen_by_the_area():
    rng = np.random.default_rng(7)
    found = detect({"a": Scores(rng.normal(0.4, 1.0, 400), rng.normal(size=300))}, fpr=0.01, level=0.05)
    assert (found.statistic, found.side, found.detected) == ("auc", "high", True)
    assert 0.5 < found.low < found.value


def test_detected_is_the_same_as_a_lower_end_above_chance():
    rng = np.random.default_rng(8)
    for shift in np.linspace(0.0, 0.5, 40):
        found = detect({"a": Scores(rng.normal(shift, 1.0, 200), rng.normal(size=150))}, fpr=0.01, level=0.05)
        assert found.detected == (found.low > found.chance)


def test_a_constant_attack_detects_nothing():
    assert not detect({"a": Scores(np.zeros(200), np.zeros(150))}, fpr=0.01, level=0.05).detected


def test_no_attack_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        detect({}, fpr=0.01, level=0.05)


def test_the_broad_rate_is_broader_than_the_audited_one():
    assert BROAD_RATE > 0.01


def test_pooled_draws_are_mean_ranks_by_hand():
    draws = [Scores(np.array([3.0, 1.0]), np.array([2.0])), Scores(np.array([10.0, 0.0]), np.array([50.0]))]
    found = pooled(draws)
    assert found.members.tolist() == [2.5, 1.0]
    assert found.non_members.tolist() == [2.5]


def test_draws_of_different_records_are_refused():
    with pytest.raises(ValueError, match="same records"):
        pooled([Scores(np.zeros(2), np.zeros(3)), Scores(np.zeros(3), np.zeros(2))])


def test_pooling_holds_its_level_although_draws_share_their_records_and_counting_draws_as_independent_does_not():
    """Scores are a record's own part plus a draw's. Members and non-members come from one law."""
    rng = np.random.default_rng(9)
    repeats, joint, naive = 400, 0, 0
    for _ in range(repeats):
        own = rng.normal(size=200)
        drawn = [own + 0.5 * rng.normal(size=200) for _ in range(5)]
        draws = [Scores(one[:120], one[120:]) for one in drawn]
        joint += detect({"a": pooled(draws)}, fpr=0.01, level=0.05).detected
        aucs = [auc(one.members, one.non_members) for one in draws]
        naive += stats.ttest_1samp(aucs, 0.5).pvalue <= 0.05
    assert joint / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert naive / repeats > 0.3
