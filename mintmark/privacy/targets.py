"""How far one target's leak says what another would leak: every shadow model takes its turn as the target.

Each is attacked with all others as its shadows, itself and its twin of the complementary half left out: the two share
no record, so the twin's answers are those of a model that knew exactly the other records, which no attacker has of a
real target. Knows nothing of models.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from mintmark.evidence import Measurement
from mintmark.intervals import auc, mean
from mintmark.privacy.rounding import DIGITS, LEVEL, rounded_down, rounded_up
from mintmark.privacy.shadows import Shadows

FEWEST = 4  # shadow models; with fewer, none would be left on one side

Attack = Callable[[np.ndarray, Shadows], np.ndarray | None]


def target_aucs(shadows: Shadows, attack: Attack) -> Float[np.ndarray, " targets"]:
    """The attack's AUC on every model in turn; empty where the others do not allow the attack."""
    found = []
    for place in range(len(shadows.answers)):
        twins = {place, place ^ 1}
        others = np.array([row not in twins for row in range(len(shadows.answers))])
        scores = attack(shadows.answers[place], Shadows(shadows.answers[others], shadows.trained_on[others]))
        if scores is None:
            return np.zeros(0)
        members = shadows.trained_on[place]
        found.append(auc(scores[members], scores[~members]))
    return np.array(found)


def spread_measurements(threat: str, shadows: Shadows, attacks: Mapping[str, Attack]) -> list[Measurement]:
    """`THREAT_ATTACK_over_targets_auc`: mean and Student's interval over targets; none with too few shadow models."""
    if len(shadows.answers) < FEWEST:
        return []
    found = []
    for name, attack in attacks.items():
        areas = target_aucs(shadows, attack)
        if not len(areas):
            continue
        over = mean(areas, level=LEVEL)
        found.append(
            Measurement(
                name=f"{threat}_{name}_over_targets_auc",
                value=round(over.value, DIGITS),
                low=rounded_down(over.low),
                high=rounded_up(over.high),
                level=LEVEL,
                unit="auc",
                n=len(areas),
                note=f"The same on models trained alike on other records; from {areas.min():.3f} to {areas.max():.3f}.",
            )
        )
    return found
