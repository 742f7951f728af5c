"""Every detector's scores of one trial, each image scored once; the combination is made of its members' scores.

Held-out normals serve twice, but never the same ones: `references` tell the combination how surprising a score of each
member is, `calibration` alone turns scores into p-values and alarms. Knows nothing of files and judges nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float

from mintmark.anomaly.combination import combine, refer
from mintmark.anomaly.detector import Detector
from mintmark.anomaly.trial import Trial


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Case:
    """The images that detectors are judged by and on; no record is in two parts, and none was fitted on.

    Attributes:
        references: Normals that only show what a detector's scores look like.
        calibration: Normals that only set thresholds and p-values.
        trial: What is judged.
    """

    references: Float[torch.Tensor, "references channels height width"]
    calibration: Float[torch.Tensor, "calibration channels height width"]
    trial: Trial

    @property
    def images(self) -> Float[torch.Tensor, "n channels height width"]:
        """All of them, in the order that `split` expects."""
        return torch.cat([self.references, self.calibration, self.trial.normals, *self.trial.anomalies.values()])

    def split(self, found: torch.Tensor) -> "Parts":
        """What was found of each of the `images`, by part."""
        parts = [self.references, self.calibration, self.trial.normals, *self.trial.anomalies.values()]
        references, calibration, normals, *anomalies = found.split([len(part) for part in parts])
        return Parts(references, calibration, normals, dict(zip(self.trial.anomalies, anomalies, strict=True)))


class Parts(NamedTuple):
    """Something of each image of a case."""

    references: torch.Tensor
    calibration: torch.Tensor
    normals: torch.Tensor
    anomalies: Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scores:
    """One detector's scores, of distinct records throughout.

    Attributes:
        kind: The detector's name.
        references: Normals that only show what its scores look like; none of them where nobody asks.
        calibration: Normals that only set thresholds and p-values.
        normals: Normals that are judged.
        anomalies: By corruption.
    """

    kind: str
    references: Float[torch.Tensor, " references"]
    calibration: Float[torch.Tensor, " calibration"]
    normals: Float[torch.Tensor, " normals"]
    anomalies: Mapping[str, Float[torch.Tensor, " anomalies"]]

    @property
    def all_anomalies(self) -> Float[torch.Tensor, " anomalies"]:
        """The anomalies of every corruption, one after the other."""
        return torch.cat(list(self.anomalies.values()))


def score(detector: Detector, case: Case) -> Scores:
    """A detector's scores of everything that it is judged by and on, in one pass.

    Raises:
        BadInput: the images are of another shape than those it was fitted on.
    """
    return from_parts(detector.kind, case.split(detector.score(case.images)))


def from_parts(kind: str, scores: Parts) -> Scores:
    """Scores under the name of whatever gave them."""
    return Scores(kind=kind, **scores._asdict())


def combined(members: Sequence[Scores], *, kind: str) -> Scores:
    """The mean surprise of the members' scores, by the references alone.

    The calibration normals are among what is scored, like the judged ones, so that its thresholds keep their promise.

    Raises:
        BadInput: the references are too few, or a member's highest scores are all the same.
    """
    known = [refer(one.references, kind=one.kind) for one in members]
    return Scores(
        kind=kind,
        references=combine(known, [one.references for one in members]),
        calibration=combine(known, [one.calibration for one in members]),
        normals=combine(known, [one.normals for one in members]),
        anomalies={name: combine(known, [one.anomalies[name] for one in members]) for name in members[0].anomalies},
    )
