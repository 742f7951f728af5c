"""A detector with its threshold in one file, and back from that file alone.

Only a detector whose file gives away neither a training record nor another artefact may be saved: `nearest` keeps the
training records, and `anogan` would hand out the generator and the discriminator, which the release judges separately.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float

from mintmark import weights
from mintmark.anomaly.pca import PcaResidual
from mintmark.anomaly.threshold import alarms
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Guard:
    """What a deployed classifier asks before it answers.

    Attributes:
        detector: Scores images.
        threshold: Scores above it raise an alarm.
        false_alarm_rate: The rate for which the threshold was set.
        classes: Class names of the records that it was fitted on.
    """

    detector: PcaResidual
    threshold: float
    false_alarm_rate: float
    classes: tuple[str, ...]

    def alarms(self, images: Float[torch.Tensor, "n channels height width"]) -> Bool[torch.Tensor, " n"]:
        """Which images resemble none of the normals.

        Raises:
            BadInput: the images are of another shape than the normals.
        """
        return alarms(self.detector.score(images), threshold=self.threshold)


def save_guard(path: Path, guard: Guard) -> None:
    """Write a guard to one safetensors file, whole or not at all."""
    detector = guard.detector
    metadata = {
        "kind": detector.kind,
        "shape": detector.shape,
        "threshold": guard.threshold,
        "false_alarm_rate": guard.false_alarm_rate,
        "classes": guard.classes,
    }
    weights.save(path, {"mean": detector.mean, "components": detector.components}, metadata)


def load_guard(path: Path) -> Guard:
    """The guard that `save_guard` left in a file.

    Raises:
        BadInput: the file is missing or holds something else.
    """
    tensors, facts = weights.load(path)
    try:
        if facts["kind"] != "pca_residual":
            raise BadInput(f"{path}: expected a detector of kind 'pca_residual', got {facts['kind']!r}")
        height, width, channels = facts["shape"]
        detector = PcaResidual(mean=tensors["mean"], components=tensors["components"], shape=(height, width, channels))
        return Guard(
            detector=detector,
            threshold=facts["threshold"],
            false_alarm_rate=facts["false_alarm_rate"],
            classes=tuple(facts["classes"]),
        )
    except KeyError as error:
        raise BadInput(f"{path}: expected a detector, found no {error.args[0]!r} in it") from error
