"""Findings: a failed control makes the verdict inconclusive, and all that is promised is told, in numbers and words."""

import json

import numpy as np
import pytest

from mintmark.utility.arms import ARMS
from mintmark.utility.choices import Score
from mintmark.utility.contest import Contest, Settled
from mintmark.utility.curve import Worth
from mintmark.utility.findings import Findings, find
from mintmark.utility.picture import draw
from mintmark.utility.stopping import Looks
from mintmark.utility.told import facts, measurements, summary, worth_in_words

RATES = {
    "real": 0.8,
    "augmented": 0.82,
    "real_synthetic": 0.9,
    "augmented_synthetic": 0.91,
    "synthetic": 0.78,
    "shuffled": 0.4,
    "half": 0.75,
    "half_held_back": 0.8,
}
PROMISED = {
    "real_accuracy",
    "augmented_accuracy",
    "real_synthetic_accuracy",
    "augmented_synthetic_accuracy",
    "synthetic_accuracy",
    "trts_accuracy",
    "share_difference",
    "augment_difference",
    "classifier_difference",
    "smallest_detectable_difference",
    "control_shuffled_difference",
    "control_held_back_difference",
    "equivalent_real_records",
    "equivalent_extra_records",
}
ONE_LOOK = Looks((6,))
CURVE = {30: 0.5, 60: 0.7, 150: 0.93}


def found(toy_images, *, looks: Looks = ONE_LOOK, **rates: float) -> tuple[Findings, Settled]:
    rng = np.random.default_rng(0)
    test = toy_images(num=300)
    outcomes = {name: (rng.random((6, 300)) < rate).astype(float) for name, rate in (RATES | rates).items()}
    contest = Contest(
        networks={},
        scores={arm: Score(0.92 if arm == "augmented" else 0.9, -0.3) for arm in ARMS},
        synthetic_arm="augmented_synthetic",
        rivals=("real", "augmented"),
    )
    on_release = (rng.random((6, 500)) < 0.7).astype(float)
    curve = {size: (rng.random((6, 300)) < rate).astype(float) for size, rate in CURVE.items()}
    settled = Settled(contest=contest, outcomes=outcomes, looks=looks, look=0, reason="answered")
    return find(
        settled, curve, on_release=on_release, test=test, num_train=100, margin=0.005, kept="synthetic"
    ), settled


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        ({}, "helps"),
        ({"augmented_synthetic": 0.83}, "no evidence"),
        ({"augmented_synthetic": 0.6}, "hurts"),
        ({"shuffled": 0.8}, "inconclusive"),
        ({"half_held_back": 0.5}, "inconclusive"),
    ],
)
def test_the_verdict_follows_the_outcomes(toy_images, rates, verdict):
    assert found(toy_images, **rates)[0].verdict == verdict


def test_every_promised_measurement_is_there_with_its_doubt(toy_images):
    findings, _ = found(toy_images)
    told = {one.name: one for one in measurements(findings, num_test=300, num_release=500)}
    assert set(told) == PROMISED
    assert told["trts_accuracy"].n == 500
    for name in PROMISED - {"smallest_detectable_difference", "equivalent_extra_records"}:
        one = told[name]
        assert None not in {one.low, one.value, one.high}
        assert sorted([one.low, one.value, one.high]) == [one.low, one.value, one.high]  # pyright: ignore[reportArgumentType]
    lost = (told["synthetic_accuracy"].value or 0.0) - (told["real_accuracy"].value or 0.0)
    assert told["share_difference"].value == pytest.approx(lost)
    assert told["augment_difference"].control == "control_shuffled_difference"


def test_the_synthetic_records_are_placed_on_the_curve(toy_images):
    """Accuracies of .5, .7, .8 and .93 at 30, 60, 100 and 150 real records: .78 is worth 90 or so, and .9 some 140."""
    findings, _ = found(toy_images)
    told = {one.name: one for one in measurements(findings, num_test=300, num_release=500)}
    assert sorted(findings.curve) == [30, 60, 100, 150]
    assert told["equivalent_real_records"].value == pytest.approx(90, abs=25)
    assert told["equivalent_extra_records"].value == pytest.approx(40, abs=15)
    better = found(toy_images, real_synthetic=0.99)[0]
    extra = measurements(better, num_test=300, num_release=500)[-1]
    assert (extra.name, extra.value, extra.high) == ("equivalent_extra_records", None, None)
    assert extra.low == 50
    assert "more than the 150 real records at which the learning curve ends" in extra.note


def test_more_planned_looks_widen_the_intervals_and_raise_the_p_values(toy_images):
    once, twice = found(toy_images)[0], found(toy_images, looks=Looks((6, 12)))[0]
    assert twice.advantage.low < once.advantage.low < once.advantage.high < twice.advantage.high
    assert twice.p_values["augment_difference"] >= once.p_values["augment_difference"]
    assert twice.share.low < once.share.low


def test_p_values_are_corrected_for_their_number(toy_images):
    findings, settled = found(toy_images, augmented_synthetic=0.85)
    assert set(findings.gain_p_values) == set(ARMS) - {"augmented"}
    assert findings.p_values["augment_difference"] >= findings.advantage.p_value
    assert findings.p_values["augment_difference"] <= min(1.0, 3 * findings.advantage.p_value)
    assert settled.reason == "answered"


@pytest.mark.parametrize(
    ("worth", "words"),
    [
        (
            Worth(reading="read", records=90.4, low=70.0, high=None),
            "as well as 90 real records (70 to over 150; 100 were",
        ),
        (Worth(reading="below", records=None, low=None, high=44.0), "fewer than the 30 real records"),
        (Worth(reading="flat", records=None, low=None, high=None), "cannot be placed: from 30 to 150 real records"),
    ],
)
def test_a_worth_is_told_in_words(toy_images, worth: Worth, words: str):
    assert words in worth_in_words(worth, found(toy_images)[0])


def test_the_result_is_told_in_sentences(toy_images):
    sentences = summary(*found(toy_images))
    assert sentences[0].startswith("The synthetic data help: against the better of real data and real data augmented")
    assert "corrected p = " in sentences[0]
    assert "6 times (of at most 6), which answered the question" in sentences[-1]
    assert all(one.endswith(".") for one in sentences)


def test_facts_are_plain_json_with_every_arm_and_control(toy_images):
    told = json.loads(json.dumps(facts(*found(toy_images))))
    assert set(told["arms"]) == set(ARMS)
    assert told["arms"]["augmented"]["difference_to_best_rival"]["value"] == 0.0
    assert told["arms"]["real"]["worst_class"] in {"class-0", "class-1", "class-2"}
    assert [one["name"] for one in told["controls"]] == ["shuffled", "held_back"]
    assert told["chosen_on_validation"] == {"synthetic_arm": "augmented_synthetic", "best_rival": "augmented"}


def test_the_picture_is_the_same_bytes_twice(toy_images, tmp_path):
    findings, settled = found(toy_images)
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, findings, settled.contest)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
