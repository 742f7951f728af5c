"""Which detectors are compared, and which facts stand beside what was measured."""

import numpy as np
import pytest
import torch

from mintmark.anomaly.judgement import comparisons, facts, judge
from mintmark.anomaly.measurements import Rates, thresholds
from mintmark.anomaly.scoring import Scores

RATES = Rates(novelty=0.1, anomaly=0.01)


def scores(kind: str) -> Scores:
    return Scores(
        kind=kind,
        references=torch.arange(7.0),
        calibration=torch.arange(20.0),
        normals=torch.arange(5.0),
        anomalies={"mild": torch.arange(2.0, 5.0), "strong": torch.arange(9.0, 13.0)},
    )


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["pca_residual", "nearest"], []),
        (["nearest", "guard"], []),
        (["pca_residual", "guard"], [("guard", "pca_residual")]),
        (["nearest", "anogan", "fanogan"], [("anogan", "nearest"), ("fanogan", "nearest")]),
        (
            ["nearest", "anogan", "combination", "guard"],
            [
                ("anogan", "nearest"),
                ("combination", "nearest"),
                ("combination", "anogan"),
            ],
        ),
    ],
)
def test_what_claims_a_gain_is_compared_with_what_it_must_beat(kinds: list[str], expected: list[tuple[str, str]]):
    assert comparisons(kinds) == expected


def test_every_detector_is_measured_once_and_by_name():
    every = [scores("nearest"), scores("anogan")]
    limits = {one.kind: thresholds(one, rates=RATES) for one in every}
    found = judge(every, thresholds=limits, rates=RATES, rng=np.random.default_rng(0), level=0.9)
    names = [one.name for one in found]
    assert len(set(names)) == len(names) == 2 * (1 + 2 + 1) + 1 + 2 * 4
    assert all(one.note for one in found)
    assert {one.level for one in found if one.value is not None} == {0.9}


def test_facts_tell_thresholds_rates_and_records():
    every = [scores("nearest")]
    told = facts(every, thresholds={"nearest": thresholds(every[0], rates=RATES)}, rates=RATES, level=0.95)
    assert told["detectors"] == ["nearest"]
    assert told["thresholds"] == {"nearest": {"novelty": 18.0, "anomaly": None}}
    assert told["false_alarm_rates"]["novelty"]["spread"] == pytest.approx((0.0123, 0.2487), abs=1e-4)  # Beta(2, 19)
    assert told["false_alarm_rates"]["anomaly"] == {"asked": 0.01, "spread": None}
    assert told["records"] == {
        "references": 7,
        "calibration": 20,
        "normals": 5,
        "anomalies": {"mild": 3, "strong": 4},
    }
