"""The guard that is handed out with a release: a detector with its thresholds in one file, and back from that file alone.

It is fitted on the released records alone, so whoever holds those could have fitted it: it gives away nothing of the
training records beyond what they do. A detector that was fitted on training records must not be handed out: `nearest`
and its kin keep such records, support vectors are such records, a discriminator has learnt some by heart.

Thresholds need real records, though. Released records lie nearer to the plane of the released records than real ones do,
so thresholds by released records raise far more false alarms than they promise. Those by validation records keep the
promise, but each would be the score of one real record. So they are rounded up to the next step of a coarse scale that
the release fixes. That keeps the promise, errs towards silence by less than one step, and tells of all validation records
together the number of a step, a few bits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float

from mintmark import weights
from mintmark.anomaly import pca
from mintmark.anomaly.measurements import Rates
from mintmark.anomaly.pca import PcaResidual
from mintmark.anomaly.threshold import alarms, calibrate, resolves
from mintmark.errors import BadInput

STEP = 1.02  # ratio of neighbouring thresholds on the scale
LEAST_UNIT = 1e-6  # of the scale, for releases that lie on their plane; a distance of images in [-1, 1]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Guard:
    """What a deployed classifier asks before it answers.

    Attributes:
        detector: Scores images.
        thresholds: By the alarm's name; scores above it raise that alarm.
        rates: The false-alarm rates for which the thresholds were set.
        classes: Class names of the records that it was fitted on.
    """

    detector: PcaResidual
    thresholds: Mapping[str, float]
    rates: Mapping[str, float]
    classes: tuple[str, ...]

    def alarms(self, images: Float[torch.Tensor, "n channels height width"], *, name: str) -> Bool[torch.Tensor, " n"]:
        """Which images raise the alarm of that name.

        Raises:
            BadInput: the images are of another shape than the released ones.
            KeyError: the guard has no such alarm.
        """
        return alarms(self.detector.score(images), threshold=self.thresholds[name])


def fit_guard(
    released: Float[torch.Tensor, "n channels height width"],
    *,
    calibration: Float[torch.Tensor, "calibration channels height width"],
    num_components: int,
    rates: Rates,
    classes: tuple[str, ...],
) -> Guard:
    """The plane of released records, and of nothing else, with thresholds by normals that nothing was fitted on.

    Args:
        released: Pixels in [-1, 1].
        calibration: Held-out real normals; where they do not resolve the rate of anomalies, the guard has no such alarm.
        num_components: Of the plane.
        rates: Of false alarms.
        classes: Of the released records.

    Raises:
        BadInput: the released records, or the values of an image, are too few for that many components, or the
            calibration normals do not resolve the rate of novelties.
    """
    detector = pca.fit(released, num_components=num_components)
    scores = detector.score(calibration)
    exact = {"novelty": calibrate(scores, false_alarm_rate=rates.novelty)}
    if resolves(len(scores), false_alarm_rate=rates.anomaly):
        exact["anomaly"] = calibrate(scores, false_alarm_rate=rates.anomaly)
    return Guard(
        detector=detector,
        thresholds=coarse(exact, released_scores=detector.score(released)),
        rates=rates.by_name(),
        classes=classes,
    )


def coarse(thresholds: Mapping[str, float], *, released_scores: Float[torch.Tensor, " released"]) -> dict[str, float]:
    """Thresholds rounded up to the scale that the release fixes: its median score times `STEP` to the power 0, 1, 2, ...

    Args:
        thresholds: By name.
        released_scores: The guard's scores of the records that it was fitted on.
    """
    unit = max(released_scores.double().median().item(), LEAST_UNIT)
    return {name: unit * STEP ** math.ceil(math.log(max(one / unit, 1.0), STEP)) for name, one in thresholds.items()}


def save_guard(path: Path, guard: Guard) -> None:
    """Write a guard to one safetensors file, whole or not at all."""
    detector = guard.detector
    metadata = {
        "kind": detector.kind,
        "shape": detector.shape,
        "thresholds": dict(guard.thresholds),
        "rates": dict(guard.rates),
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
            thresholds=facts["thresholds"],
            rates=facts["rates"],
            classes=tuple(facts["classes"]),
        )
    except KeyError as error:
        raise BadInput(f"{path}: expected a detector, found no {error.args[0]!r} in it") from error
