"""What may leave the house: named aggregates, rounded. Everything that is not named here stays inside.

No free text of a report passes: names are matched against the list below, words against a closed vocabulary. Rounding
keeps a release's numbers from being a channel back to single records.
"""

import re
from collections.abc import Mapping
from typing import Any

from mintmark.evidence import Measurement, Report

THREATS = ("samples", "classifier", "generator", "discriminator")
_THREAT = "|".join(THREATS)

# Full matches of measurement names, by stage.
NAMES: Mapping[str, tuple[str, ...]] = {
    "validate": ("quarantine_rate",),
    "split": (r"(train|validation|test|reference)_records",),
    "generate": ("synthetic_records",),
    # not the share removed: whoever may change a release would learn from it which records are near to real ones
    "anonymise": ("near_copies_left",),
    "evaluate": (
        r"(real|augmented|real_synthetic|augmented_synthetic|synthetic|trts)_accuracy",
        r"(share|augment|control_shuffled|control_held_back)_difference",
        "smallest_detectable_difference",
    ),
    "audit": (
        rf"({_THREAT})_(auc_bound|tpr_bound|detection_floor|advantage|set_accuracy|epsilon_bound)",
        rf"({_THREAT})_(worst_class|worst_cluster|outliers)_auc_bound",
        rf"({_THREAT})_[a-z][a-z0-9_]{{0,40}}_(auc|tpr|fpr)",
    ),
    "cluster": (r"(kmeans|dti)_(accuracy|nmi)", "coverage_min", "clusters_covered"),
    "detect": (
        r"[a-z][a-z0-9_]{0,40}_auroc",
        r"guard_(novelty|anomaly)_(false_alarm|detection)_rate",
    ),
    "release": ("real_records_found",),
}
WORDS = ("helps", "within margin", "hurts", "no evidence", "inconclusive", "conclusive", "contradiction")
UNITS = ("rate", "difference", "auc", "count", "epsilon")
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_ -]{0,60}")
_HEX = re.compile(r"[0-9a-f]{16,}")


def publish(reports: Mapping[str, Report], *, min_records: int, decimals: int) -> dict[str, Any]:
    """The aggregates of some reports, by stage, that anybody may see.

    Args:
        reports: Reports by stage.
        min_records: A measurement that rests on fewer records or seeds than this is withheld.
        decimals: Digits after the point of every number.
    """
    listed = [
        (stage, measurement)
        for stage in sorted(set(reports) & set(NAMES))
        for measurement in reports[stage].measurements
        if any(re.fullmatch(pattern, measurement.name) for pattern in NAMES[stage])
    ]
    shown = [(stage, one) for stage, one in listed if one.n >= min_records or one.unit == "count"]
    return {
        "measurements": [_measurement(stage, one, decimals) for stage, one in shown],
        "withheld": sorted(f"{stage}.{one.name}" for stage, one in listed if (stage, one) not in shown),
        "answers": {stage: report.verdict for stage, report in sorted(reports.items()) if report.verdict in WORDS},
        "conclusive": _conclusive(reports.get("audit")),
        "controls": _controls(reports.get("audit")),
    }


def publish_verdict(verdict: Mapping[str, Any], *, decimals: int) -> dict[str, Any]:
    """The verdict with its numbers rounded; its texts are the owner's own rules."""
    return rounded(verdict, decimals=decimals)


def rounded(value: Any, *, decimals: int) -> Any:
    """The same JSON value with every float rounded."""
    if isinstance(value, float):
        return round(value, decimals) + 0.0  # no minus zero
    if isinstance(value, Mapping):
        return {key: rounded(one, decimals=decimals) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one, decimals=decimals) for one in value]
    return value


def _measurement(stage: str, measurement: Measurement, decimals: int) -> dict[str, Any]:
    numbers = {name: getattr(measurement, name) for name in ("value", "low", "high", "level")}
    return {
        "stage": stage,
        "name": measurement.name,
        "unit": measurement.unit if measurement.unit in UNITS else None,
        "n": measurement.n,
        **rounded(numbers, decimals=decimals),
    }


def _conclusive(audit: Report | None) -> dict[str, bool]:
    stated = audit.facts.get("conclusive") if audit is not None else None
    if not isinstance(stated, Mapping):
        return {}
    return {threat: stated[threat] for threat in THREATS if isinstance(stated.get(threat), bool)}


def _controls(audit: Report | None) -> list[dict[str, Any]]:
    """Each control of the audit by name, threat model, kind and strongest attack, and whether it came out as it should."""
    stated = audit.facts.get("controls") if audit is not None else None
    if not isinstance(stated, list | tuple):
        return []
    return [
        {
            "name": one["name"],
            "threat": one["threat"],
            "kind": one["kind"],
            "by": one["by"] if _is_plain(one.get("by")) else None,
            "as_expected": as_expected(one),
        }
        for one in stated
        if isinstance(one, Mapping)
        and _is_plain(one.get("name"))
        and one.get("threat") in THREATS
        and one.get("kind") in {"positive", "negative"}
    ]


def as_expected(control: Mapping[str, Any]) -> bool | None:
    """Whether a control came out as it should: a planted leak was detected, a harmless release did not alarm.

    None where the control does not say.
    """
    if isinstance(control.get("detected"), bool):
        return control["detected"] == (control.get("kind") == "positive")
    if isinstance(control.get("failed"), bool):
        return not control["failed"]
    return None


def _is_plain(text: Any) -> bool:
    return isinstance(text, str) and bool(_PLAIN_NAME.fullmatch(text)) and not _HEX.search(text)
