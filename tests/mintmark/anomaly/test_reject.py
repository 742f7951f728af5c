"""The reject option on records few enough to count by hand."""

import numpy as np
import pytest
import torch

from mintmark.anomaly.reject import Mixture, curves, doubt, measure, mix, risk_areas
from mintmark.anomaly.scoring import Case, Scores
from mintmark.anomaly.trial import Trial
from mintmark.errors import BadInput

IMAGES = torch.zeros(8, 1, 2, 2)


def case(normal_codes: list[int], anomaly_codes: list[int]) -> Case:
    """One reference, one calibration normal, and as many judged images as there are codes."""
    return Case(
        references=IMAGES[:1],
        calibration=IMAGES[:1],
        trial=Trial(
            normals=torch.zeros(len(normal_codes), 1, 2, 2),
            normal_codes=np.array(normal_codes),
            anomalies={"invert": torch.zeros(len(anomaly_codes), 1, 2, 2)},
            anomaly_codes={"invert": np.array(anomaly_codes)},
        ),
    )


def scores(kind: str, normals: list[float], anomalies: list[float]) -> Scores:
    none = torch.zeros(0)
    return Scores(
        kind=kind,
        references=none,
        calibration=none,
        normals=torch.tensor(normals),
        anomalies={"a": torch.tensor(anomalies[:1]), "b": torch.tensor(anomalies[1:])},
    )


MIXTURE = Mixture(normals=np.array([0, 1, 2]), anomalies=np.array([1]), right=np.array([True, True, False, False]))
CONFIDENCE = scores("confidence", [1.0, 2.0, 3.0], [9.0, 0.5])
GUARD = scores("guard", [1.0, 2.0, 4.0], [9.0, 3.0])


def measured(**thresholds: float):
    found = measure([GUARD, CONFIDENCE], MIXTURE, thresholds=thresholds, rng=np.random.default_rng(0), level=0.95)
    return {one.name: one for one in found}


def test_a_mixture_has_the_share_and_knows_which_answers_are_right():
    """Six labelled normals and two corrupted: at a quarter all of them serve. Answered 0 throughout."""
    mixture = mix(
        case([0, 0, 1, 0, -1, 1, 0], [0, 1]),
        torch.tensor([[1.0, 0.0]]).expand(11, 2),
        corrupted_share=0.25,
        rng=np.random.default_rng(0),
    )
    assert mixture.normals.tolist() == [0, 1, 2, 3, 5, 6]
    assert mixture.anomalies.tolist() == [0, 1]
    assert mixture.right.tolist() == [True, True, False, True, False, True, True, False]
    assert mixture.corrupted.tolist() == [False] * 6 + [True] * 2


def test_records_beyond_the_share_are_left_out_at_random():
    draws = {
        tuple(
            mix(
                case([0] * 4, [0] * 10), torch.zeros(16, 2), corrupted_share=0.2, rng=np.random.default_rng(seed)
            ).anomalies.tolist()
        )
        for seed in range(5)
    }
    assert {len(one) for one in draws} == {1}
    assert len(draws) > 1


def test_a_trial_without_labels_is_refused():
    with pytest.raises(BadInput, match="expected labelled records"):
        mix(case([-1, -1], [0, 0]), torch.zeros(6, 2), corrupted_share=0.5, rng=np.random.default_rng(0))


def test_doubt_is_minus_the_logarithm_of_the_answer_s_probability_and_does_not_saturate():
    logits = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0], [0.0, 1.0], [40.0, 0.0], [50.0, 0.0]])
    found = doubt(case([0, 0], [0, 0]), logits)
    assert found.kind == "confidence"
    torch.testing.assert_close(found.normals, -logits[2:4].softmax(dim=1).amax(dim=1).log())
    assert found.anomalies["invert"][0] > found.anomalies["invert"][1] > 0


def test_curves_tell_what_is_kept_at_every_threshold():
    """In the guard's order: right, right, corrupted and wrong, wrong."""
    table = curves([GUARD], MIXTURE)
    guard = table[table["rejecter"] == "guard"]
    assert guard["coverage"].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert guard["accuracy"].tolist() == pytest.approx([1.0, 1.0, 2 / 3, 0.5])
    assert guard["corrupted_share"].tolist() == pytest.approx([0.0, 0.0, 1 / 3, 0.25])
    blind = table[table["rejecter"] == "random"]
    assert (blind["coverage"].tolist(), blind["accuracy"].tolist()) == ([0.0, 1.0], [0.5, 0.5])


def test_records_of_one_score_are_kept_together():
    table = curves([scores("guard", [1.0, 1.0, 1.0], [9.0, 2.0])], MIXTURE)
    assert table[table["rejecter"] == "guard"]["coverage"].tolist() == [0.75, 1.0]


def test_the_area_is_the_mean_share_of_wrong_answers_among_all_that_score_no_higher():
    wrong, once = np.array([False, True, False, True]), np.ones((1, 4), np.int64)
    assert risk_areas(np.array([1.0, 2.0, 3.0, 4.0]), wrong, once) == pytest.approx([(0 + 1 / 2 + 1 / 3 + 1 / 2) / 4])
    assert risk_areas(np.array([1.0, 3.0, 2.0, 4.0]), wrong, once) == pytest.approx([(0 + 0 + 1 / 3 + 1 / 2) / 4])
    assert risk_areas(np.full(4, 7.0), wrong, once) == pytest.approx([1 / 2])  # knows nothing: the overall share
    twice = np.array([[2, 0, 1, 1]])
    assert risk_areas(np.array([1.0, 2.0, 3.0, 4.0]), wrong, twice) == pytest.approx([(0 + 0 + 0 + 1 / 4) / 4])


def test_what_is_kept_at_the_threshold_is_counted():
    """The guard keeps 1, 2 and the corrupted 3; confidence, at 1.5, the first normal and the corrupted one."""
    found = measured(guard=3.0, confidence=1.5)
    assert (found["answered_accuracy"].value, found["answered_accuracy"].n) == (0.5, 4)
    assert (found["guard_kept_share"].value, found["confidence_kept_share"].value) == (0.75, 0.5)
    assert found["guard_kept_accuracy"].value == pytest.approx(2 / 3)
    assert (found["guard_kept_corrupted_share"].value, found["guard_kept_corrupted_share"].n) == (1.0, 1)
    assert (found["guard_kept_accuracy"].n, found["confidence_kept_accuracy"].value) == (3, 0.5)


def test_areas_are_compared_with_confidence_and_with_chance():
    """Guard: (0 + 0 + 1/3 + 1/2) / 4. Confidence, which begins with the corrupted one: (1 + 1/2 + 1/3 + 1/2) / 4."""
    found = measured(guard=3.0, confidence=1.5)
    guard, confidence = 5 / 24, 7 / 12
    assert found["guard_risk_area"].value == pytest.approx(guard)
    assert found["confidence_risk_area"].value == pytest.approx(confidence)
    assert found["guard_minus_confidence_risk_area"].value == pytest.approx(guard - confidence)
    assert found["guard_minus_random_risk_area"].value == pytest.approx(guard - 0.5)
    assert "confidence_minus_confidence_risk_area" not in found
    for one in found.values():
        assert one.note
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.high


def test_where_nothing_is_kept_there_is_no_accuracy():
    found = measured(guard=0.0, confidence=1.5)
    assert (found["guard_kept_share"].value, found["guard_kept_accuracy"].value) == (0.0, None)


def test_a_score_that_knows_nothing_gains_nothing_over_chance_and_the_interval_says_so():
    rng = np.random.default_rng(0)
    mixture = Mixture(normals=np.arange(150), anomalies=np.arange(50), right=rng.random(200) < 0.7)
    blind = scores("confidence", rng.random(150).tolist(), rng.random(50).tolist())
    seeing = scores(
        "guard", (~mixture.right[:150] + rng.random(150)).tolist(), (~mixture.right[150:] + rng.random(50)).tolist()
    )
    found = measure(
        [seeing, blind], mixture, thresholds={"guard": 1.0, "confidence": 1.0}, rng=np.random.default_rng(0), level=0.95
    )
    by_name = {one.name: one for one in found}
    none, gain = by_name["confidence_minus_random_risk_area"], by_name["guard_minus_random_risk_area"]
    assert (none.low or 0) < 0 < (none.high or 0)
    assert (gain.high or 0) < 0
