"""The outcome of the contest as measurements and facts, in words for people. Decides nothing beyond the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mintmark.data.images import ImageSet
from mintmark.evidence import Measurement
from mintmark.intervals import CrossedMean
from mintmark.utility.arms import ARMS, Arm
from mintmark.utility.comparison import (
    LEVEL,
    Advantage,
    Outcome,
    Verdict,
    accuracy,
    advantage,
    difference,
    judge,
    worst_class,
)
from mintmark.utility.contest import RIVALS, Contest
from mintmark.utility.controls import Control, judge_controls

CONTROL = "control_shuffled_difference"
MEANINGS: dict[Arm, str] = {
    "real": "trained on real records",
    "augmented": "trained on real records, bent by the tuned augmentation",
    "real_synthetic": "trained on real and synthetic records",
    "augmented_synthetic": "trained on real and synthetic records, bent by the tuned augmentation",
    "synthetic": "trained on synthetic records alone, tested on real ones",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What the test said.

    Attributes:
        accuracies: Of each arm.
        trts: Of the networks of `real` on the release.
        gains: Each arm's accuracy minus that of the best rival.
        advantage: Of the chosen synthetic arm over the better of its rivals.
        share: The accuracy of the arm `synthetic` minus that of `real`.
        controls: What they showed.
        worst_classes: Each arm's worst class and its accuracy.
        margin: Differences up to this count as none.
        verdict: "inconclusive" where a control failed, else about `advantage`.
    """

    accuracies: Mapping[Arm, CrossedMean]
    trts: CrossedMean
    gains: Mapping[Arm, CrossedMean]
    advantage: Advantage
    share: CrossedMean
    controls: tuple[Control, Control]
    worst_classes: Mapping[Arm, tuple[str, float]]
    margin: float
    verdict: Verdict


def find(
    contest: Contest,
    outcomes: Mapping[str, Outcome],
    *,
    on_release: Float[np.ndarray, "seeds released"],
    test: ImageSet,
    margin: float,
) -> Findings:
    """Compare the arms.

    Args:
        contest: What validation chose.
        outcomes: Of every arm and control on the test.
        on_release: Of the networks of `real` on the release.
        test: The test records.
        margin: Differences up to this count as none.
    """
    gained = advantage(
        outcomes[contest.synthetic_arm],
        {arm: outcomes[arm] for arm in RIVALS},
        best_rival=contest.best_rival,
        margin=margin,
    )
    controls = judge_controls(dict(outcomes), margin=margin)
    worst: dict[Arm, tuple[int, float]] = {arm: worst_class(outcomes[arm], test.codes) for arm in ARMS}
    return Findings(
        accuracies={arm: accuracy(outcomes[arm]) for arm in ARMS},
        trts=accuracy(on_release),
        gains={arm: difference(outcomes[arm], outcomes[contest.best_rival]) for arm in ARMS},
        advantage=gained,
        share=difference(outcomes["synthetic"], outcomes["real"]),
        controls=controls,
        worst_classes={arm: (test.classes[code], rate) for arm, (code, rate) in worst.items()},
        margin=margin,
        verdict=judge(gained, margin=margin) if all(one.passed for one in controls) else "inconclusive",
    )


def measurements(findings: Findings, *, num_test: int, num_release: int) -> tuple[Measurement, ...]:
    """The findings as measurements; each n counts records, of which each was judged once a seed."""
    rates = [
        _measured(f"{arm}_accuracy", "rate", findings.accuracies[arm], num_test, f"Accuracy when {MEANINGS[arm]}.")
        for arm in ARMS
    ]
    trts = "Accuracy of a classifier trained on real records when it judges the synthetic ones."
    share = "What is lost by whoever trains on the synthetic records alone instead of the real ones."
    augment = "What the chosen synthetic arm gains over the better of real records and real records augmented."
    detectable = "The smallest true gain that this contest would have called a help in four cases out of five."
    differences = [
        _measured("share_difference", "difference", findings.share, num_test, share, control=CONTROL),
        _measured("augment_difference", "difference", findings.advantage, num_test, augment, control=CONTROL),
        Measurement(
            name="smallest_detectable_difference",
            value=findings.advantage.smallest_detectable,
            unit="difference",
            n=num_test,
            note=detectable,
        ),
    ]
    notes = {
        "shuffled": "What synthetic records with exchanged classes do to the accuracy: the contest must see the harm.",
        "held_back": "What real records do when they pose as synthetic: the contest must not call it harm.",
    }
    controls = [
        _measured(f"control_{one.name}_difference", "difference", one.found, num_test, notes[one.name])
        for one in findings.controls
    ]
    return (*rates, _measured("trts_accuracy", "rate", findings.trts, num_release, trts), *differences, *controls)


def facts(findings: Findings, contest: Contest) -> dict[str, Any]:
    """The findings' further aggregates, as plain JSON values."""
    arms = {
        arm: {
            "accuracy": _ends(findings.accuracies[arm]),
            "difference_to_best_rival": _ends(findings.gains[arm]),
            "validation_accuracy": contest.scores[arm].accuracy,
            "worst_class": findings.worst_classes[arm][0],
            "worst_class_accuracy": findings.worst_classes[arm][1],
        }
        for arm in ARMS
    }
    controls = [
        {"name": one.name, "expected": one.expected, "found": one.verdict, "passed": one.passed}
        for one in findings.controls
    ]
    chosen = {"synthetic_arm": contest.synthetic_arm, "best_rival": contest.best_rival}
    return {"arms": arms, "controls": controls, "margin": findings.margin, "chosen_on_validation": chosen}


def _measured(
    name: str, unit: str, found: CrossedMean | Advantage, n: int, note: str, *, control: str | None = None
) -> Measurement:
    return Measurement(
        name=name,
        value=found.value,
        unit=unit,
        n=n,
        low=found.low,
        high=found.high,
        level=LEVEL,
        control=control,
        note=note,
    )


def _ends(found: CrossedMean) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}
