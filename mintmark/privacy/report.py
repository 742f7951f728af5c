"""The audit's report: what the attacks achieved on the targets, and whether the controls let one believe it.

Judges no release: limits stand in the release rules. Knows no file and no record.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mintmark.evidence import Measurement, Report
from mintmark.intervals import holm
from mintmark.privacy.blind import Blind
from mintmark.privacy.chosen import chosen_measurements
from mintmark.privacy.controls import Control, blind, conclusive, negative, positive
from mintmark.privacy.detection import TESTS_PER_ATTACK, p_values
from mintmark.privacy.floor import power_of
from mintmark.privacy.one_run import OneRun
from mintmark.privacy.rates import Rates, Scores, order_of_threshold
from mintmark.privacy.rounding import DIGITS, LEVEL
from mintmark.privacy.subgroups import Groups, worst_fact, worst_measurement, worst_of
from mintmark.privacy.summary import (
    Precision,
    attack_measurements,
    floor_measurement,
    gate_measurements,
    rates_of,
)
from mintmark.privacy.trials import THREATS, Attacks, Trial

CONTRADICTION = "contradiction"
DOSES = (0.0, 0.001, 0.01, 0.1)  # shares of the members that a leaking generator would replay
HEADLINES = ("auc_bound", "tpr_bound", "detection_floor")


class Outcome(NamedTuple):
    """A trial and the scores of its attacks."""

    trial: Trial
    attacks: Attacks


def targets_of(outcomes: list[Outcome]) -> dict[str, Attacks]:
    """The scores of the targets alone, by threat model."""
    return {outcome.trial.threat: outcome.attacks for outcome in outcomes if outcome.trial.kind == "target"}


def judge_controls(outcomes: list[Outcome], baseline: Blind, *, fpr: float, false_failure: float) -> list[Control]:
    """Every control of every threat model.

    Args:
        outcomes: Of all trials.
        baseline: What the blind baseline found; it stands once in the share of errors, however often it is listed.
        fpr: At which attacks are asked.
        false_failure: Probability that any negative control fails where all models are sound, at most.
    """
    found = [
        positive(one.trial.name, threat=one.trial.threat, attacks=one.attacks, fpr=fpr, level=1.0 - LEVEL)
        for one in outcomes
        if one.trial.kind == "positive"
    ]
    draws: dict[tuple[str, str], list[Attacks]] = {}
    for one in outcomes:
        if one.trial.kind == "negative":
            draws.setdefault((one.trial.threat, one.trial.name), []).append(one.attacks)
    level = false_failure / (len(draws) + 1)
    found += [
        negative(name, threat=threat, draws=drawn, fpr=fpr, level=level) for (threat, name), drawn in draws.items()
    ]
    threats = tuple(targets_of(outcomes))
    return [*found, *blind(baseline, threats=threats, level=level)]


def audit_report(
    outcomes: list[Outcome],
    baseline: Blind,
    *,
    groups: Mapping[str, Groups],
    spread: Sequence[Measurement],
    canaries: OneRun,
    precision: Precision,
    false_failure: float,
    seed: int,
    facts: dict[str, Any],
    cost: dict[str, float],
) -> Report:
    """Everything the audit has to say in public.

    Args:
        outcomes: Of all trials.
        baseline: What the blind baseline found.
        groups: Of the records under attack, by threat model.
        spread: What was found on further targets.
        canaries: What twins with canaries said. A claim of differential privacy that they refute makes the verdict
            "contradiction", and no threat model trustworthy, whatever else was found: all that is released is made of
            the same trainings.
        precision: How attacks are measured.
        false_failure: See `judge_controls`.
        seed: Of halves, bootstrap and simulations.
        facts: Further aggregates.
        cost: What it took.
    """
    targets = targets_of(outcomes)
    controls = judge_controls(outcomes, baseline, fpr=precision.fpr, false_failure=false_failure)
    trusted = conclusive(controls, threats=tuple(targets))
    if canaries.contradicted:
        trusted = dict.fromkeys(trusted, False)
    said = _findings(outcomes, targets, groups=groups, precision=precision, seed=seed)
    negatives = [control for control in controls if control.kind == "negative"]
    return Report(
        stage="audit",
        measurements=(*said.gate, *said.attacks, *spread, *canaries.measurements),
        headline=tuple(f"{threat}_{name}" for threat in THREATS if threat in targets for name in HEADLINES),
        verdict=CONTRADICTION if canaries.contradicted else "conclusive" if all(trusted.values()) else "inconclusive",
        facts={
            "conclusive": trusted,
            "controls": [control.as_json() for control in controls],
            "false_failure": false_failure,
            "negative_control_level": negatives[0].level,
            "thresholds": _threshold_facts(targets, precision.fpr),
            "closer": said.closer,
            "caught": said.caught,
            "detected": _detections(targets, fpr=precision.fpr),
            "canaries": canaries.facts,
            "contradicted": list(canaries.contradicted),
            **facts,
        },
        cost=cost,
    )


class _Findings(NamedTuple):
    """What the attacks found, over all threat models: measurements in the report's order, facts by threat model."""

    gate: list[Measurement]
    attacks: list[Measurement]
    closer: dict[str, dict[str, Any]]
    caught: dict[str, dict[str, float]]


def _findings(
    outcomes: list[Outcome],
    targets: dict[str, Attacks],
    *,
    groups: Mapping[str, Groups],
    precision: Precision,
    seed: int,
) -> _Findings:
    rates, planted = rates_of(targets, precision=precision, seed=seed), _first_plants(outcomes)
    found = _Findings([], [], {}, {})
    for threat, own in targets.items():
        trial, copies = planted[threat]
        how = {"precision": precision, "control": trial.name}
        found.gate.extend(_gate(threat, rates[threat], own, copies, seed=seed, **how))
        found.caught[threat] = _caught(copies, own, precision=precision, seed=seed)
        further, found.closer[threat] = _closer(threat, own, groups[threat], seed=seed, control=trial.name)
        found.attacks.extend([*further, *attack_measurements(threat, rates[threat], own, **how)])
    return found


def _gate(
    threat: str,
    rates: dict[str, Rates],
    attacks: Attacks,
    copies: Attacks,
    *,
    precision: Precision,
    seed: int,
    control: str,
) -> list[Measurement]:
    """What release rules judge of one threat model: its bounds, and its detection floor."""
    bounds = gate_measurements(threat, rates, attacks, fpr=precision.fpr, control=control)
    num_members = min(len(scores.members) for scores in attacks.values())
    floor = floor_measurement(
        threat,
        copies,
        num_attacks=len(attacks),
        num_members=num_members,
        precision=precision,
        seed=seed,
        control=control,
    )
    return [*bounds, floor]


def _closer(
    threat: str, attacks: Attacks, groups: Groups, *, seed: int, control: str
) -> tuple[list[Measurement], dict[str, Any]]:
    """What hides behind averages: the chosen attack on fresh records, the worst class and cluster, the outliers."""
    found, choice = chosen_measurements(threat, attacks, seed=seed, control=control)
    told = {
        "worst_class": (groups.classes, "In no class does an attack do better than this, either way round."),
        "worst_cluster": (groups.clusters, "Nor among the records nearest to any one cluster's prototype."),
        "outliers": (groups.outliers, "Nor among the tenth of the records that are most unlike the attacker's own."),
    }
    notes = {name: (worst_of(attacks, some), note) for name, (some, note) in told.items()}
    found += [
        worst_measurement(threat, name, worst, note=note, control=control) for name, (worst, note) in notes.items()
    ]
    return found, {"chosen": choice, **{name: worst_fact(worst) for name, (worst, _) in notes.items()}}


def _caught(copies: Attacks, attacks: Attacks, *, precision: Precision, seed: int) -> dict[str, float]:
    """How often this audit would catch a leak of some shares of the members, by the share; 0 is its false alarms."""
    found = power_of(
        DOSES,
        copies,
        num_members=min(len(scores.members) for scores in attacks.values()),
        num_attacks=len(attacks),
        fpr=precision.fpr,
        level=1.0 - LEVEL,
        simulations=precision.simulations,
        seed=seed,
    )
    return {f"{share:g}": round(rate, DIGITS) for share, rate in found.items()}


def _detections(targets: dict[str, Attacks], *, fpr: float) -> dict[str, float]:
    """The attacks that detect something, with their p-values, corrected for all tests of the report (Holm 1979).

    A claim of detection alone: no attack found here is no evidence of safety, which only the bounds give.
    """
    names = [f"{threat}_{attack}" for threat, attacks in targets.items() for attack in attacks]
    scores = [one for attacks in targets.values() for one in attacks.values()]
    raw = [min(1.0, TESTS_PER_ATTACK * float(p_values(one, fpr=fpr).min())) for one in scores]
    corrected = holm(np.array(raw)).tolist()
    return {name: round(p, DIGITS) for name, p in zip(names, corrected, strict=True) if p < 1.0 - LEVEL}


def _first_plants(outcomes: list[Outcome]) -> dict[str, tuple[Trial, Attacks]]:
    """By threat model: its first positive control, and the scores of the records that this gave away."""
    found: dict[str, tuple[Trial, Attacks]] = {}
    for trial, attacks in outcomes:
        if trial.kind == "positive" and trial.threat not in found:
            exposed = slice(None) if trial.exposed is None else trial.exposed
            copies = {name: Scores(one.members[exposed], one.non_members) for name, one in attacks.items()}
            found[trial.threat] = trial, copies
    return found


def _threshold_facts(targets: dict[str, Attacks], fpr: float) -> dict[str, Any]:
    """How thresholds were frozen: on how many non-members, at which of their largest scores, at what expected rate."""
    found = {}
    for threat, attacks in targets.items():
        calibrating = min(len(scores.non_members) for scores in attacks.values()) // 2
        order = order_of_threshold(calibrating, fpr=fpr)
        found[threat] = {
            "calibrating_non_members": calibrating,
            "largest_score_taken": order,
            "expected_fpr": round(order / (calibrating + 1), 4),
            "smallest_fpr": round(1 / (calibrating + 1), 4),
            "resolved": order > 0,
        }
    return found
