"""The findings as measurements, facts and sentences for people. Decides nothing."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mintmark.evidence import Measurement
from mintmark.intervals import CrossedMean
from mintmark.utility.arms import ARMS, Arm
from mintmark.utility.comparison import LEVEL, Advantage, Verdict
from mintmark.utility.contest import Settled
from mintmark.utility.curve import Worth
from mintmark.utility.findings import PLACED, Findings, Taught

CONTROL = "control_shuffled_difference"
MEANINGS: dict[Arm, str] = {
    "real": "trained on real records",
    "augmented": "trained on real records, bent by the tuned augmentation",
    "real_synthetic": "trained on real and synthetic records",
    "augmented_synthetic": "trained on real and synthetic records, bent by the tuned augmentation",
    "synthetic": "trained on synthetic records alone, tested on real ones",
}
ANSWERS: dict[Verdict, str] = {
    "helps": "The synthetic data help",
    "within margin": "The synthetic data make no difference that matters",
    "hurts": "The synthetic data hurt",
    "no evidence": "No evidence that the synthetic data help",
    "inconclusive": "Inconclusive: a control failed, so this comparison could not have told",
}
SUBJECTS: dict[Arm, str] = {
    "synthetic": "The synthetic records alone",
    "real_synthetic": "Real and synthetic records together",
}


def summary(findings: Findings, settled: Settled) -> list[str]:
    """The result in a few sentences, the answer first."""
    gained, contest = findings.advantage, settled.contest
    num_seeds, budget = settled.looks.seeds[settled.look], settled.looks.budget
    why = {
        "answered": "which answered the question",
        "more seeds would not tell": "since no number of seeds would answer it with these test records",
        "budget spent": "as many as were allowed",
    }[settled.reason]
    answer = (
        f"{ANSWERS[findings.verdict]}: against the better of {rivals_in_words(contest.rivals)}, accuracy changes by "
        f"{_points(gained)}, corrected p = {findings.p_values['augment_difference']:.2g}."
    )
    alone = (
        f"The synthetic data alone change it by {_points(findings.share)} against the real data, corrected p = "
        f"{findings.p_values['share_difference']:.2g}."
    )
    effort = (
        f"Every arm was trained {num_seeds} times (of at most {budget}), {why}; on validation, the best synthetic arm "
        f"was {contest.synthetic_arm} and the best rival {contest.best_rival}."
    )
    worths = [f"{SUBJECTS[arm]} {worth_in_words(findings.worths[arm], findings)}." for arm in PLACED]
    return [answer, alone, *worths, effort]


def rivals_in_words(rivals: Sequence[str]) -> str:
    """What the synthetic data must beat."""
    further = len(set(rivals) - set(ARMS))
    more = f" (and of {further} arms that learn from unlabelled records without a GAN)" if further else ""
    return f"real data and real data augmented{more}"


def worth_in_words(worth: Worth, findings: Findings) -> str:
    """How many real records an arm is worth, as the end of a sentence."""
    sizes = sorted(findings.curve)
    if worth.reading == "flat":
        return f"cannot be placed: from {sizes[0]} to {sizes[-1]} real records, the learning curve is too flat"
    low = f"{worth.low:.0f}" if worth.low is not None else f"under {sizes[0]}"
    high = f"{worth.high:.0f}" if worth.high is not None else f"over {sizes[-1]}"
    ends = f"({low} to {high}; {findings.num_train} were trained on)"
    if worth.records is not None:
        return f"do as well as {worth.records:.0f} real records {ends}"
    beyond = f"more than the {sizes[-1]}" if worth.reading == "above" else f"fewer than the {sizes[0]}"
    return f"do as well as {beyond} real records at which the learning curve ends {ends}"


def measurements(findings: Findings, *, num_test: int, num_release: int) -> tuple[Measurement, ...]:
    """The findings as measurements; each n counts records, of which each was judged once a seed."""
    rates = [
        _measured(f"{arm}_accuracy", "rate", findings.accuracies[arm], num_test, f"Accuracy when {MEANINGS[arm]}.")
        for arm in ARMS
    ]
    trts = "Accuracy of a classifier trained on real records when it judges the synthetic ones."
    kept = "What the arm of the kept classifier gains over the better of all that owe nothing to synthetic data."
    share = "What is lost by whoever trains on the synthetic records alone instead of the real ones."
    augment = "What the chosen synthetic arm gains over the better of all that owe nothing to synthetic data."
    detectable = "The smallest true gain that this contest would have called a help in four cases out of five."
    differences = [
        _measured("share_difference", "difference", findings.share, num_test, share, control=CONTROL),
        _measured("augment_difference", "difference", findings.advantage, num_test, augment, control=CONTROL),
        _measured("classifier_difference", "difference", findings.kept, num_test, kept, control=CONTROL),
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
    alone, added = (findings.worths[arm] for arm in PLACED)
    worths = [
        _worth(
            "equivalent_real_records", alone, 0, num_test, f"{SUBJECTS['synthetic']} {worth_in_words(alone, findings)}."
        ),
        _worth(
            "equivalent_extra_records",
            added,
            findings.num_train,
            num_test,
            f"{SUBJECTS['real_synthetic']} {worth_in_words(added, findings)}; here, less those trained on.",
        ),
    ]
    return (
        *rates,
        _measured("trts_accuracy", "rate", findings.trts, num_release, trts),
        *differences,
        *controls,
        *worths,
        *(one for taught in findings.students.values() for one in _of_student(taught, findings, num_test)),
    )


def facts(findings: Findings, settled: Settled) -> dict[str, Any]:
    """The findings' further aggregates, as plain JSON values."""
    contest = settled.contest
    arms = {
        arm: {
            "accuracy": _ends(findings.accuracies[arm]),
            "difference_to_best_rival": _ends(findings.gains[arm]),
            "corrected_p": findings.gain_p_values.get(arm),
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
    curve = [{"real_records": size, "accuracy": _ends(found)} for size, found in sorted(findings.curve.items())]
    seeds = {
        "used": settled.looks.seeds[settled.look],
        "looks": list(settled.looks.seeds),
        "stopped_because": settled.reason,
        "level_at_this_look": settled.looks.level(settled.look),
    }
    students = {
        name: {"verdict": one.verdict, "rivals": list(one.student.rivals), "corrected_p": one.p_value}
        for name, one in findings.students.items()
    }
    return {
        "summary": summary(findings, settled),
        "arms": arms,
        "controls": controls,
        "margin": findings.margin,
        "rivals": list(contest.rivals),
        "chosen_on_validation": {"synthetic_arm": contest.synthetic_arm, "best_rival": contest.best_rival},
        "corrected_p": dict(findings.p_values),
        "seeds": seeds,
        "learning_curve": curve,
        "worth_in_real_records": {arm: asdict(findings.worths[arm]) for arm in PLACED},
        "students": students,
    }


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


def _of_student(taught: Taught, findings: Findings, n: int) -> tuple[Measurement, Measurement]:
    name, rivals = taught.student.name, " and ".join(taught.student.rivals)
    rate = f"Accuracy when {taught.student.meaning}."
    gain = f"What {name} gains over the better of {rivals}."
    return (
        _measured(f"{name}_accuracy", "rate", findings.accuracies[name], n, rate),
        _measured(f"{name}_difference", "difference", taught.advantage, n, gain, control=CONTROL),
    )


def _worth(name: str, worth: Worth, less: int, n: int, note: str) -> Measurement:
    value, low, high = (None if one is None else one - less for one in (worth.records, worth.low, worth.high))
    return Measurement(name=name, value=value, unit="records", n=n, low=low, high=high, level=LEVEL, note=note)


def _ends(found: CrossedMean) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _points(found: CrossedMean | Advantage) -> str:
    value, low, high = (f"{round(100 * one, 1) + 0.0:+.1f}" for one in found[:3])  # + 0.0 turns -0.0 into 0.0
    return f"{value} points ({low} to {high})"
