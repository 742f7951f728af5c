"""Measurements of scores small enough to count by hand."""

import numpy as np
import pytest
import torch

from mintmark.anomaly.measurements import Rates, advantage, alarm_rates, member_leak, ranking, thresholds
from mintmark.anomaly.scoring import Scores

RATES = Rates(novelty=0.1, anomaly=0.01)


def scores(kind: str = "toy", *, scale: float = 1.0) -> Scores:
    """Calibration 1..20, four normals, and two corruptions of two records each."""
    return Scores(
        kind=kind,
        references=torch.zeros(0),
        calibration=scale * torch.arange(1.0, 21.0),
        normals=scale * torch.tensor([0.5, 3.0, 10.0, 30.0]),
        anomalies={"mild": scale * torch.tensor([2.0, 11.0]), "strong": scale * torch.tensor([40.0, 50.0])},
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_ranking_tells_the_auroc_overall_by_corruption_and_of_the_control():
    """Mild: 2 beats 0.5 alone, 11 beats three: 4 of 8. Strong: 8 of 8. Control: 2 + 9 or 10 + 20 of 80, ties half."""
    found = {one.name: one for one in ranking(scores(), rng=rng(), level=0.95)}
    assert {name: one.value for name, one in found.items()} == pytest.approx(
        {
            "toy_auroc": 12 / 16,
            "toy_auroc_mild": 4 / 8,
            "toy_auroc_strong": 1.0,
            "toy_normals_auroc": (0 + 2.5 + 9.5 + 20) / 80,
        }
    )
    assert {name: one.n for name, one in found.items()} == {
        "toy_auroc": 8,
        "toy_auroc_mild": 6,
        "toy_auroc_strong": 6,
        "toy_normals_auroc": 24,
    }


def test_every_ranking_has_an_interval_and_names_the_control():
    for one in ranking(scores(), rng=rng(), level=0.9):
        assert one.low is not None
        assert one.high is not None
        assert one.value is not None
        assert one.low < one.high
        assert one.low <= one.value <= one.high
        assert (one.unit, one.level) == ("auc", 0.9)
        assert one.control == (None if one.name == "toy_normals_auroc" else "toy_normals_auroc")


def test_thresholds_stand_where_the_rates_can_be_resolved():
    """Of 20 scores the ceil(21 * 0.9) = 19th; 1% would take 99."""
    assert thresholds(scores(), rates=RATES) == {"novelty": 19.0, "anomaly": None}
    assert thresholds(scores(), rates=Rates(novelty=0.2, anomaly=0.05)) == {"novelty": 17.0, "anomaly": 20.0}


def test_alarm_rates_count_what_lies_above_each_threshold():
    """At 19: one of four normals, two of four anomalies. At 45: none and one."""
    found = alarm_rates(
        scores(), thresholds={"novelty": 19.0, "anomaly": 45.0}, rates=Rates(novelty=0.1, anomaly=0.05), level=0.95
    )
    assert [(one.name, one.value, one.n) for one in found] == [
        ("toy_novelty_false_alarm_rate", 0.25, 4),
        ("toy_novelty_detection_rate", 0.5, 4),
        ("toy_anomaly_false_alarm_rate", 0.0, 4),
        ("toy_anomaly_detection_rate", 0.25, 4),
    ]
    assert (found[0].low, found[0].high) == pytest.approx((0.0063, 0.8059), abs=1e-4)  # Clopper and Pearson
    assert "asked: 10.0% of normal records, by 20 validation records" in found[0].note
    assert "may be 1.2% to 24.9%" in found[0].note  # Beta(2, 19)


def test_a_rate_that_is_not_resolved_has_no_value_and_says_what_it_takes():
    found = alarm_rates(scores(), thresholds={"novelty": 19.0, "anomaly": None}, rates=RATES, level=0.95)
    assert [one.value is None for one in found] == [False, False, True, True]
    assert found[2].note == "cannot be resolved: a rate of 1.0% takes at least 99 validation records, got 20"


@pytest.mark.parametrize(("novelty", "anomaly"), [(0.01, 0.05), (0.05, 0.05), (1.0, 0.01), (0.05, 0.0)])
def test_rates_that_are_not_in_order_are_refused(novelty: float, anomaly: float):
    with pytest.raises(ValueError, match="rates must be 0 < anomaly < novelty < 1"):
        Rates(novelty=novelty, anomaly=anomaly)


def test_a_score_that_separates_members_says_so():
    leak = member_leak(scores(), train=torch.tensor([0.1, 0.2, 0.3, 5.0]), rng=rng(), level=0.95)
    assert (leak.name, leak.n) == ("toy_member_auroc", 8)
    assert leak.value == pytest.approx((3 + 3 + 4 + 4) / 16)


def test_the_advantage_is_the_paired_difference_in_auroc():
    better = Scores(
        kind="better",
        references=torch.zeros(0),
        calibration=torch.arange(20.0),
        normals=torch.tensor([0.0, 1.0, 2.0, 3.0]),
        anomalies={"mild": torch.tensor([4.0, 5.0]), "strong": torch.tensor([6.0, 7.0])},
    )
    found = advantage(better, over=scores(), rng=rng(), level=0.95)
    assert (found.name, found.unit, found.n) == ("better_minus_toy_auroc", "difference", 8)
    assert found.value == pytest.approx(1.0 - 12 / 16)
    opposite = advantage(scores(), over=better, rng=rng(), level=0.95)
    assert opposite.value == pytest.approx(12 / 16 - 1.0)


def test_a_scale_changes_no_measurement():
    assert ranking(scores(scale=3.0), rng=rng(), level=0.95) == ranking(scores(), rng=rng(), level=0.95)
