"""What one attack achieves: its AUC, and the rates at thresholds frozen before they are measured.

An attack gives every record a score, higher for "more like a member". It may also be right the other way round: a
filter against training records, for one, drives members *away* from a release. So everything here has two sides.

A threshold is frozen on one half of the non-members and measured on the other half and on all members, which had no say
in it. An exact interval at a threshold that was chosen on the very records it is measured on does not cover.
Knows nothing of what the scores come from, and no limit: bounds are judged by release rules.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypedDict

import numpy as np
from jaxtyping import Bool, Float

from mintmark.intervals import Interval, proportion
from mintmark.privacy.aucs import auc_family


class Scores(NamedTuple):
    """One attack's answers, higher for "more like a member"."""

    members: Float[np.ndarray, "*draws members"]
    non_members: Float[np.ndarray, "*draws non_members"]

    def reversed(self) -> "Scores":
        """The same attack asked the other way round."""
        return Scores(-self.members, -self.non_members)


class OperatingPoint(NamedTuple):
    """The rates of one side of an attack at its frozen threshold: on all members, and on the other non-members."""

    tpr: Interval
    fpr: Interval


class Rates(NamedTuple):
    """What an attack achieves. Where n does not resolve the wanted rate, both points are None.

    Attributes:
        auc: With its bootstrap interval; below 0.5 where the attack is right the other way round.
        auc_bound: Upper bound of max(AUC, 1 - AUC), simultaneous over all attacks of the report.
        forward, backward: The points of both sides.
        low_forward, low_backward: The same at the lower rate, which fewer audits resolve.
        tpr_bound: Upper bound of the TPR of both sides, simultaneous likewise.
    """

    auc: Interval
    auc_bound: float
    forward: OperatingPoint | None
    backward: OperatingPoint | None
    low_forward: OperatingPoint | None
    low_backward: OperatingPoint | None
    tpr_bound: float | None


def order_of_threshold(num_non_members: int, *, fpr: float) -> int:
    """Which largest score of so many non-members makes a threshold whose expected FPR is at most `fpr`.

    A fresh non-member exceeds the k-th largest of n exchangeable others with probability k / (n + 1) at most (Wilks
    1941), so k = floor(fpr (n + 1)). Zero says that n does not resolve the rate: 1% takes 99 non-members.
    """
    return math.floor(fpr * (num_non_members + 1) + 1e-9)


def freeze(calibration: Float[np.ndarray, " n"], *, fpr: float) -> float | None:
    """The threshold that non-members exceed with probability `fpr` at most; None where n does not resolve it."""
    order = order_of_threshold(len(calibration), fpr=fpr)
    return float(np.sort(calibration)[-order]) if order else None


def halves(num_non_members: int, *, seed: int) -> Bool[np.ndarray, " n"]:
    """Which non-members calibrate: a random half, the same for every attack of one seed and number."""
    mask = np.zeros(num_non_members, bool)
    mask[np.random.default_rng([seed, 1]).permutation(num_non_members)[: num_non_members // 2]] = True
    return mask


def operating_point(
    scores: Scores, *, calibrating: Bool[np.ndarray, " non_members"], fpr: float, level: float = 0.95
) -> OperatingPoint | None:
    """Exact intervals (Clopper and Pearson 1934) of both rates above a threshold frozen on the calibrating half.

    Returns:
        None where the calibrating half does not resolve `fpr`.
    """
    threshold = freeze(scores.non_members[calibrating], fpr=fpr)
    if threshold is None:
        return None
    fresh = scores.non_members[~calibrating]
    return OperatingPoint(
        tpr=proportion(int((scores.members > threshold).sum()), len(scores.members), level=level),
        fpr=proportion(int((fresh > threshold).sum()), len(fresh), level=level),
    )


def measure(
    attacks: Mapping[str, Scores],
    *,
    num_families: int,
    num_attacks: int,
    fpr: float,
    low_fpr: float,
    seed: int,
    resamples: int,
    level: float = 0.95,
) -> dict[str, Rates]:
    """Everything that is reported of the attacks on one target.

    Args:
        attacks: The scores of the same records, by attack.
        num_families: Targets of the report. The bounds on their AUCs share the error among the targets (Bonferroni),
            and within a target among its attacks, as far as these differ (`auc_family`).
        num_attacks: Attacks of the report: the bounds on rates share the error among all (Bonferroni), and both sides.
        fpr: Where the threshold is frozen.
        low_fpr: Where another is.
        seed: Of the halves and the bootstrap.
        resamples: Of the bootstrap.
        level: Of the intervals, and of the bounds together.
    """
    family = auc_family(
        np.stack([scores.members for scores in attacks.values()]),
        np.stack([scores.non_members for scores in attacks.values()]),
        rng=np.random.default_rng([seed, 2]),
        level=level,
        shared_level=1.0 - (1.0 - level) / num_families,
        resamples=resamples,
    )
    shared = 1.0 - (1.0 - level) / num_attacks  # two-sided at this level: each end at (1 - level) / (2 num_attacks)
    found = {}
    for name, alone, together in zip(attacks, family.each, family.together, strict=True):
        points = _points(attacks[name], levels=(level, shared), fpr=fpr, low_fpr=low_fpr, seed=seed)
        found[name] = Rates(auc=alone, auc_bound=max(together.high, 1.0 - together.low), **points)
    return found


class _Points(TypedDict):
    forward: OperatingPoint | None
    backward: OperatingPoint | None
    low_forward: OperatingPoint | None
    low_backward: OperatingPoint | None
    tpr_bound: float | None


def _points(scores: Scores, *, levels: tuple[float, float], fpr: float, low_fpr: float, seed: int) -> _Points:
    """The points of both sides, and the larger upper end of both at the second level."""
    mask = halves(len(scores.non_members), seed=seed)
    both = (scores, scores.reversed())
    forward, backward = (operating_point(side, calibrating=mask, fpr=fpr, level=levels[0]) for side in both)
    low_forward, low_backward = (operating_point(side, calibrating=mask, fpr=low_fpr, level=levels[0]) for side in both)
    shared = [operating_point(side, calibrating=mask, fpr=fpr, level=levels[1]) for side in both]
    return {
        "forward": forward,
        "backward": backward,
        "low_forward": low_forward,
        "low_backward": low_backward,
        "tpr_bound": max((point.tpr.high for point in shared if point is not None), default=None),
    }
