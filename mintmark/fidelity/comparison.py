"""Released records beside real ones, and real ones beside real ones, by the same measures at the same n.

Three parties: real records that neither the generator nor the features' network has seen, released records, and the
training records. Each draw compares a real sample with a released one, and with another real one: the floor. Samples of
different draws share no record. Distances within the first sample are computed once for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from mintmark.classify.training import Recipe
from mintmark.fidelity.coverage import Fidelity, compare_balls, radii
from mintmark.fidelity.draws import FEWEST
from mintmark.fidelity.frechet import frechet_distance
from mintmark.fidelity.kernel import kernel_distance
from mintmark.fidelity.memorisation import authentic, cells, copying_score, nearness
from mintmark.intervals import Interval

MEASURES = ("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage")
FEWEST_IN_CELL = 5  # records of either group, for a rank test that can tell anything

Values = Mapping[str, Float[np.ndarray, " draws"]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a release's records are compared with real ones.

    Attributes:
        draws: How many disjoint samples of each source; at least 2.
        max_records: Of one sample, at most.
        neighbours: Which neighbour sets the width of a record's ball.
        training: Of the network whose features are compared, on the labelled training records.
        inception: Absolute path of the published Inception weights, for their features as well; or None.
        dinov2: The same for DINOv2.
    """

    draws: int
    max_records: int
    neighbours: int
    training: Recipe
    inception: str | None
    dinov2: str | None

    def __post_init__(self) -> None:
        for name, least in {"draws": FEWEST, "max_records": 2, "neighbours": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("inception", "dinov2"):
            if not Path(getattr(self, name) or "/").is_absolute():  # a run with changed params starts elsewhere
                raise ValueError(f"{name} must be null or an absolute path, got {getattr(self, name)}")

    @property
    def fewest(self) -> int:
        """The records of one sample that its balls need."""
        return self.neighbours + 1


class Party(NamedTuple):
    """The samples of one source, draw by draw: the records' features, and the cell that each lies in."""

    features: Float[torch.Tensor, "draws n features"]
    codes: Int64[np.ndarray, "draws n"]


class Judged(NamedTuple):
    """What records other than the training records score beside those.

    Attributes:
        copying: C_T; None where no cell holds enough records.
        authentic: Whether each record is.
    """

    copying: Interval | None
    authentic: Bool[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A release beside real records, and the floor, each as real records in the release's place.

    Attributes:
        size: Records of one sample.
        released, floor: The measures of every draw, by name.
        released_memory, floor_memory: What all drawn records score beside the training records, by as many held-out.
    """

    size: int
    released: Values
    floor: Values
    released_memory: Judged
    floor_memory: Judged


def compare_parties(
    real: Party, other_real: Party, released: Party, train: Float[torch.Tensor, "train features"], *, neighbours: int
) -> Comparison:
    """Both comparisons, from parties of one shape.

    Args:
        real: Held-out real records.
        other_real: Others, for the floor.
        released: Released records.
        train: The training records' features.
        neighbours: Which neighbour sets the width of a record's ball; a sample holds more records than that.
    """
    features = (real.features, other_real.features, released.features)
    pairs = [_one_draw(*samples, k=neighbours) for samples in zip(*features, strict=True)]
    values, floors = (
        {name: np.array([one[name] for one in found]) for name in MEASURES} for found in zip(*pairs, strict=True)
    )
    memory, floor_memory = _memory(real, other_real, released, train)
    return Comparison(
        size=real.codes.shape[1], released=values, floor=floors, released_memory=memory, floor_memory=floor_memory
    )


def _one_draw(
    real: torch.Tensor, other_real: torch.Tensor, released: torch.Tensor, *, k: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The measures of the released sample and of the other real one, beside the real one."""
    widths = radii(real, k=k)
    found = []
    for other in (released, other_real):
        balls = compare_balls(real, other, widths, radii(other, k=k), k=k)
        distances = {"frechet_distance": frechet_distance(real, other), "kernel_distance": kernel_distance(real, other)}
        found.append(distances | _means(balls))
    return found[0], found[1]


def _means(found: Fidelity) -> dict[str, float]:
    flags = {"precision": found.precise, "recall": found.recalled, "coverage": found.covered, "density": found.density}
    return {name: float(one.double().mean()) for name, one in flags.items()}


def _memory(real: Party, other_real: Party, released: Party, train: torch.Tensor) -> tuple[Judged, Judged]:
    """The released records' and the first real samples', each beside the other real samples'; one pass for all."""
    parties = (other_real, released, real)
    near = nearness(torch.cat([party.features.flatten(0, 1) for party in parties]), train)
    codes = np.concatenate([party.codes.ravel() for party in parties])
    held_out, *judged = np.split(np.arange(len(codes)), len(parties))
    found = []
    for mine in judged:
        compared = cells(
            near.distances[held_out], codes[held_out], near.distances[mine], codes[mine], fewest=FEWEST_IN_CELL
        )
        found.append(Judged(copying_score(compared) if compared else None, authentic(near.take(mine))))
    return found[0], found[1]
