"""The report as one self-contained HTML page, for a person who knows no statistics.

Two audiences: the page inside may show real records and every measurement; the page in the bundle is rendered from
published evidence and carries nothing else. No request leaves the page: styles are inline, pictures are data.
"""

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mintmark.evidence import Report
from mintmark.release import words
from mintmark.release.published import THREATS, as_expected

_BOUNDS = (
    "auc_bound",
    "tpr_bound",
    "detection_floor",
    "advantage",
    "set_accuracy",
    "worst_class_auc_bound",
    "worst_cluster_auc_bound",
    "outliers_auc_bound",
    "epsilon_bound",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture on the page.

    Attributes:
        title: What it shows, with its full stop or question mark.
        caption: How to read it, in plain words.
        png: Its bytes.
    """

    title: str
    caption: str
    png: bytes

    @property
    def wide(self) -> bool:
        """Whether it is more than twice as wide as high; a PNG states its size in its first chunk."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width > 2 * height

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def render(
    *,
    title: str,
    verdict: Mapping[str, Any],
    evidence: Mapping[str, Any],
    pictures: Sequence[Picture],
    inside: bool,
) -> str:
    """The page's HTML.

    Args:
        title: The data set's name for people.
        verdict: The verdict as plain JSON values.
        evidence: What `published.publish` or `everything` returned.
        pictures: In the order in which they are shown.
        inside: Whether the reader may see the original data; the page says which it is, and what to do next.
    """
    environment = Environment(
        loader=PackageLoader("mintmark.release", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("index.html.j2").render(
        title=title,
        verdict=verdict,
        threats=[_threat(threat, evidence) for threat in THREATS if _is_attacked(threat, evidence)],
        controls=evidence["controls"],
        stages=_by_stage(evidence["measurements"]),
        pictures=pictures,
        inside=inside,
        words=words,
    )


def everything(reports: Mapping[str, Report]) -> dict[str, Any]:
    """All measurements and controls of some reports, in the form of published evidence; for readers inside alone."""
    audit = reports.get("audit")
    facts = audit.facts if audit is not None else {}
    return {
        "measurements": [
            {"stage": stage, **asdict(measurement)}
            for stage, report in reports.items()
            for measurement in report.measurements
        ],
        "conclusive": dict(facts.get("conclusive", {})),
        "controls": [{"by": None, **one, "as_expected": as_expected(one)} for one in facts.get("controls", [])],
    }


def _is_attacked(threat: str, evidence: Mapping[str, Any]) -> bool:
    return any(row["stage"] == "audit" and row["name"].startswith(f"{threat}_") for row in evidence["measurements"])


def _threat(threat: str, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What was attacked under one threat model, by whom, and how far the attacks came."""
    prefix = f"{threat}_"
    rows = {row["name"][len(prefix) :]: row for row in evidence["measurements"] if row["name"].startswith(prefix)}
    names = [match[1] for name in rows if (match := re.fullmatch(r"(.+)_auc", name))]
    return {
        "name": threat,
        "attacker": words.ATTACKERS[threat],
        "conclusive": evidence["conclusive"].get(threat),
        "bounds": [rows[bound] for bound in _BOUNDS if bound in rows],
        "attacks": [
            {
                "name": name.replace("_", " "),
                "what": words.attack(name),
                "auc": rows[f"{name}_auc"],
                "tpr": rows.get(f"{name}_tpr"),
            }
            for name in names
        ],
    }


def _by_stage(measurements: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    stages: dict[str, list[Mapping[str, Any]]] = {}
    for row in measurements:
        stages.setdefault(row["stage"], []).append(row)
    return stages
