"""Controls: what passes, what fails, what follows for a threat model, and how often sound models fail them."""

import re

import numpy as np
import pytest

from mintmark.privacy.blind import Blind
from mintmark.privacy.controls import blind, conclusive, negative, positive
from mintmark.privacy.rates import Scores


def fair(rng: np.random.Generator, *, num_members: int = 300, num_others: int = 250) -> Scores:
    return Scores(rng.normal(size=num_members), rng.normal(size=num_others))


def leaky(rng: np.random.Generator) -> Scores:
    scores = fair(rng)
    scores.members[:30] += 50.0
    return scores


def test_a_planted_leak_must_be_detected():
    rng = np.random.default_rng(0)
    caught = positive("copies", threat="samples", attacks={"a": fair(rng), "b": leaky(rng)}, fpr=0.01, level=0.05)
    missed = positive("copies", threat="samples", attacks={"a": fair(rng)}, fpr=0.01, level=0.05)
    assert not caught.failed
    assert caught.finding.by == "b"
    assert missed.failed


def test_a_stranger_must_not_be_detected():
    rng = np.random.default_rng(1)
    sound = negative("s", threat="samples", draws=[{"a": fair(rng)} for _ in range(3)], fpr=0.01, level=0.002)
    records = np.random.default_rng(2).normal(size=550)
    records[:300] += 0.5  # every draw sees the same difference: the coin was not fair
    unfair = [{"a": Scores(records[:300] + rng.normal(size=300), records[300:] + rng.normal(size=250))} for _ in "abc"]
    broken = negative("s", threat="samples", draws=unfair, fpr=0.01, level=0.002)
    assert not sound.failed
    assert broken.failed
    assert broken.draws == 3


@pytest.mark.parametrize(("p_value", "failed"), [(0.002, True), (0.0021, False)])
def test_the_blind_baseline_is_a_control_of_every_threat_model(p_value, failed):
    found = blind(Blind(0.6, 0.5, 0.7, p_value), threats=("samples", "classifier"), level=0.002)
    assert [control.threat for control in found] == ["samples", "classifier"]
    assert [control.failed for control in found] == [failed, failed]


def test_one_failed_control_makes_its_threat_model_inconclusive_and_no_other():
    rng = np.random.default_rng(3)
    controls = [
        positive("p", threat=threat, attacks={"a": scores}, fpr=0.01, level=0.05)
        for threat, scores in (("samples", fair(rng)), ("classifier", leaky(rng)))
    ]
    controls += blind(Blind(0.5, 0.4, 0.6, 0.7), threats=("samples", "classifier"), level=0.002)
    assert conclusive(controls, threats=("samples", "classifier")) == {"samples": False, "classifier": True}


def test_controls_of_one_kind_only_conclude_nothing():
    controls = blind(Blind(0.5, 0.4, 0.6, 0.7), threats=("samples",), level=0.002)
    assert conclusive(controls, threats=("samples",)) == {"samples": False}


def test_a_control_says_in_plain_values_what_was_found():
    rng = np.random.default_rng(4)
    found = positive("copies", threat="samples", attacks={"b": leaky(rng)}, fpr=0.01, level=0.05).as_json()
    assert {"name", "threat", "kind", "detected", "failed", "by", "low", "chance", "level", "draws"} <= set(found)
    assert (found["detected"], found["failed"], found["by"]) == (True, False, "b")
    assert all(isinstance(value, str | bool | int | float) for value in found.values())
    assert re.fullmatch(r"-?\d+\.?\d{0,4}", str(found["low"]))


def test_sound_models_fail_a_control_at_most_once_in_a_hundred_audits():
    """Whole audits of models that leak nothing, their draws sharing records, with a tenth replayed in the positives."""
    rng = np.random.default_rng(5)
    repeats, failures, threats = 300, 0, ("samples", "classifier", "generator", "discriminator")
    level = 0.01 / (len(threats) + 1)
    for _ in range(repeats):
        own = rng.normal(size=500)  # what makes a record easy, for every model alike
        controls = []
        for threat in threats:
            draws = []
            for _ in range(3):
                both = [own + rng.normal(size=500) for _ in "ab"]
                draws.append({name: Scores(one[:300], one[300:]) for name, one in zip("ab", both, strict=True)})
            controls.append(negative("n", threat=threat, draws=draws, fpr=0.01, level=level))
            planted = own + rng.normal(size=500)
            planted[:30] = 9.0
            plant = {"a": Scores(planted[:300], planted[300:])}
            controls.append(positive("p", threat=threat, attacks=plant, fpr=0.01, level=0.05))
        controls += blind(Blind(0.5, 0.4, 0.6, float(rng.random())), threats=threats, level=level)
        failures += not all(conclusive(controls, threats=threats).values())
    assert failures / repeats <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / repeats)
