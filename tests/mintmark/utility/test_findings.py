"""Findings: a failed control makes the verdict inconclusive, and every promised measurement is there."""

import json

import numpy as np
import pytest

from mintmark.utility.arms import ARMS
from mintmark.utility.choices import Score
from mintmark.utility.contest import Contest
from mintmark.utility.findings import facts, find, measurements
from mintmark.utility.picture import draw

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
    "smallest_detectable_difference",
    "control_shuffled_difference",
    "control_held_back_difference",
}


def found(toy_images, **rates: float):
    rng = np.random.default_rng(0)
    test = toy_images(num=300)
    outcomes = {name: (rng.random((6, 300)) < rate).astype(float) for name, rate in (RATES | rates).items()}
    contest = Contest(
        networks={},
        scores={arm: Score(0.9, -0.3) for arm in ARMS},
        synthetic_arm="augmented_synthetic",
        best_rival="augmented",
    )
    on_release = (rng.random((6, 500)) < 0.7).astype(float)
    return find(contest, outcomes, on_release=on_release, test=test, margin=0.005), contest


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
    for name in PROMISED - {"smallest_detectable_difference"}:
        one = told[name]
        assert None not in {one.low, one.value, one.high}
        assert sorted([one.low, one.value, one.high]) == [one.low, one.value, one.high]  # pyright: ignore[reportArgumentType]
    lost = (told["synthetic_accuracy"].value or 0.0) - (told["real_accuracy"].value or 0.0)
    assert told["share_difference"].value == pytest.approx(lost)
    assert told["augment_difference"].control == "control_shuffled_difference"


def test_facts_are_plain_json_with_every_arm_and_control(toy_images):
    findings, contest = found(toy_images)
    told = json.loads(json.dumps(facts(findings, contest)))
    assert set(told["arms"]) == set(ARMS)
    assert told["arms"]["augmented"]["difference_to_best_rival"]["value"] == 0.0
    assert told["arms"]["real"]["worst_class"] in {"class-0", "class-1", "class-2"}
    assert [one["name"] for one in told["controls"]] == ["shuffled", "held_back"]
    assert told["chosen_on_validation"] == {"synthetic_arm": "augmented_synthetic", "best_rival": "augmented"}


def test_the_picture_is_the_same_bytes_twice(toy_images, tmp_path):
    findings, contest = found(toy_images)
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, findings, contest)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
