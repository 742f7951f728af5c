"""What the test said of the contest: accuracies, differences, corrected p-values, what the records are worth, a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mintmark.data.images import ImageSet
from mintmark.intervals import CrossedMean, holm
from mintmark.utility.arms import ARMS, Arm
from mintmark.utility.comparison import (
    Advantage,
    Verdict,
    accuracy,
    advantage,
    difference,
    judge,
    p_value,
    worst_class,
)
from mintmark.utility.contest import Settled
from mintmark.utility.controls import Control, judge_controls
from mintmark.utility.curve import Worth, worth
from mintmark.utility.students import Student

PLACED: tuple[Arm, ...] = ("synthetic", "real_synthetic")  # on the curve, which like them is not augmented


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """What the test said of a student.

    Attributes:
        student: Which.
        advantage: Over the better of its rivals.
        p_value: Of it, corrected for the number of students (Holm) and for the looks.
        verdict: On the advantage; "inconclusive" where a control failed.
    """

    student: Student
    advantage: Advantage
    p_value: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What the test said. Every interval holds at the look's own level, and so at `LEVEL` over all looks.

    Attributes:
        accuracies: Of each arm and student.
        trts: Of the networks of `real` on the release.
        gains: Each arm's and student's accuracy minus that of the best rival.
        gain_p_values: Of each arm but the best rival, corrected for their number (Holm) and for the looks.
        advantage: Of the chosen synthetic arm over the better of its rivals.
        share: The accuracy of the arm `synthetic` minus that of `real`.
        kept: Of the arm whose network is kept, over the better of the rivals.
        kept_verdict: On it; "inconclusive" where a control failed.
        p_values: Of `augment_difference`, `share_difference` and `classifier_difference` (that of `kept`), corrected for
            their number (Holm) and for the looks.
        controls: What they showed.
        worst_classes: Each arm's worst class and its accuracy.
        curve: Accuracy of the real records alone by their number.
        num_train: How many of them the arm `real` has.
        worths: How many real records the arms of `PLACED` are worth.
        students: What each student's arm gains over the best of its own rivals, by name; empty where none ran.
        margin: Differences up to this count as none.
        verdict: "inconclusive" where a control failed, else about `advantage`.
    """

    accuracies: Mapping[str, CrossedMean]
    trts: CrossedMean
    gains: Mapping[str, CrossedMean]
    gain_p_values: Mapping[Arm, float]
    advantage: Advantage
    share: CrossedMean
    kept: Advantage
    kept_verdict: Verdict
    p_values: Mapping[str, float]
    controls: tuple[Control, Control]
    worst_classes: Mapping[Arm, tuple[str, float]]
    curve: Mapping[int, CrossedMean]
    num_train: int
    worths: Mapping[Arm, Worth]
    students: Mapping[str, Taught]
    margin: float
    verdict: Verdict


def find(
    settled: Settled,
    curve: Mapping[int, Float[np.ndarray, "curve_seeds records"]],
    *,
    on_release: Float[np.ndarray, "seeds released"],
    test: ImageSet,
    num_train: int,
    margin: float,
    kept: str,
    students: Sequence[Student] = (),
) -> Findings:
    """Compare the arms.

    Args:
        settled: The contest and the outcomes of every arm and control on the test.
        curve: The outcomes of the learning curve's points by their number of real records; that of the arm `real` is
            added here, for as many seeds.
        on_release: The outcome of the networks of `real` on the release.
        test: The test records.
        num_train: How many labelled training records there are.
        margin: Differences up to this count as none.
        kept: The arm or student whose network is kept.
        students: Those who took part.
    """
    contest, outcomes, look = settled.contest, settled.outcomes, settled.look
    level = settled.looks.level(look)
    gained = _over(contest.synthetic_arm, contest.rivals, settled, margin=margin)
    of_kept = _over(kept, [arm for arm in contest.rivals if arm != kept], settled, margin=margin)
    controls = judge_controls(outcomes, margin=margin, level=level)
    worst: dict[Arm, tuple[int, float]] = {arm: worst_class(outcomes[arm], test.codes) for arm in ARMS}
    others: list[Arm] = [arm for arm in ARMS if arm != contest.best_rival]
    gains = [p_value(outcomes[arm], outcomes[contest.best_rival]) for arm in others]
    questions = {
        "augment_difference": gained.p_value,
        "share_difference": p_value(outcomes["synthetic"], outcomes["real"]),
        "classifier_difference": of_kept.p_value,
    }
    named, conclusive = [*ARMS, *(one.name for one in students)], all(one.passed for one in controls)
    num_seeds = min(len(one) for one in curve.values())
    whole_curve = {**curve, num_train: outcomes["real"][:num_seeds]}
    return Findings(
        accuracies={arm: accuracy(outcomes[arm], level=level) for arm in named},
        trts=accuracy(on_release, level=level),
        gains={arm: difference(outcomes[arm], outcomes[contest.best_rival], level=level) for arm in named},
        gain_p_values=dict(zip(others, _corrected(gains, settled), strict=True)),
        advantage=gained,
        share=difference(outcomes["synthetic"], outcomes["real"], level=level),
        kept=of_kept,
        kept_verdict=judge(of_kept, margin=margin) if conclusive else "inconclusive",
        p_values=dict(zip(questions, _corrected(list(questions.values()), settled), strict=True)),
        controls=controls,
        worst_classes={arm: (test.classes[code], rate) for arm, (code, rate) in worst.items()},
        curve={size: accuracy(whole_curve[size]) for size in sorted(whole_curve)},
        num_train=num_train,
        worths={arm: worth(outcomes[arm], whole_curve) for arm in PLACED},
        students=_taught(students, settled, margin=margin, conclusive=conclusive),
        margin=margin,
        verdict=judge(gained, margin=margin) if conclusive else "inconclusive",
    )


def _taught(students: Sequence[Student], settled: Settled, *, margin: float, conclusive: bool) -> dict[str, Taught]:
    """Each student against its own rivals."""
    gained = [_over(one.name, one.rivals, settled, margin=margin) for one in students]
    p_values = _corrected([one.p_value for one in gained], settled) if gained else []
    return {
        student.name: Taught(
            student=student,
            advantage=one,
            p_value=p_value,
            verdict=judge(one, margin=margin) if conclusive else "inconclusive",
        )
        for student, one, p_value in zip(students, gained, p_values, strict=True)
    }


def _over(arm: str, rivals: Sequence[str], settled: Settled, *, margin: float) -> Advantage:
    """What an arm gains over the better of some rivals, of which validation names the best."""
    scores, outcomes = settled.contest.scores, settled.outcomes
    return advantage(
        outcomes[arm],
        {rival: outcomes[rival] for rival in rivals},
        best_rival=max(rivals, key=lambda rival: scores[rival]),
        margin=margin,
        level=settled.looks.level(settled.look),
    )


def _corrected(found: Sequence[float], settled: Settled) -> list[float]:
    """p-values corrected for the looks, then for their number."""
    return holm(np.array([settled.looks.correct(one, settled.look) for one in found])).tolist()
