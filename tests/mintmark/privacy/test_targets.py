"""Every shadow in turn as the target: never among its own shadows, and the spread is that of the targets."""

import numpy as np
import pytest

from mintmark.privacy.likelihood import lira_scores
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.targets import spread_measurements, target_aucs
from mintmark.shadow.coins import toss


def simulated(*, num: int, effect: float) -> Shadows:
    trained_on = toss(np.zeros(400, np.int64), num=num, seed=0)
    rng = np.random.default_rng(0)
    return Shadows(rng.normal(size=(num, 400)) + rng.normal(size=400) + effect * trained_on, trained_on)


def test_no_target_meets_itself_or_its_twin():
    shadows = simulated(num=6, effect=1.0)
    met = []

    def attack(answers: np.ndarray, others: Shadows) -> np.ndarray:
        met.append((answers, others))
        return answers

    assert len(target_aucs(shadows, attack)) == 6
    for place, (answers, others) in enumerate(met):
        assert (answers == shadows.answers[place]).all()
        assert len(others.answers) == 4
        twin = ~shadows.trained_on[place]
        assert not any((row == answers).all() for row in others.answers)
        assert not any((row == twin).all() for row in others.trained_on)


def test_mean_and_range_over_targets():
    shadows = simulated(num=16, effect=1.5)
    (told,) = spread_measurements("classifier", shadows, {"lira": lira_scores})
    areas = target_aucs(shadows, lira_scores)
    assert told.name == "classifier_lira_over_targets_auc"
    assert told.value == pytest.approx(areas.mean(), abs=1e-3)
    assert told.n == 16
    assert told.low is not None
    assert told.value is not None
    assert 0.7 < told.low < told.value
    assert f"from {areas.min():.3f} to {areas.max():.3f}" in told.note


def test_where_nothing_leaks_targets_are_at_chance():
    areas = target_aucs(simulated(num=16, effect=0.0), lira_scores)
    assert areas.mean() == pytest.approx(0.5, abs=0.03)


def test_too_few_shadows_tell_nothing():
    assert spread_measurements("classifier", simulated(num=2, effect=1.0), {"lira": lira_scores}) == []
