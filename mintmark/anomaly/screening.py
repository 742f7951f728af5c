"""Which training records are suspicious, and how far to trust that: the user's own records, screened.

Nobody knows which of them are wrong, so precision cannot be counted on them. It is counted on copies in which a share
was made wrong on purpose: the same score, on the same records, must find those. Where records were wrong before, they
count as errors there, so the average precision is, if anything, too low. A suspect is a record to look at, no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64
from sklearn.metrics import average_precision_score

from mintmark.anomaly import wrong_labels
from mintmark.anomaly.corruptions import corrupt
from mintmark.classify.out_of_fold import Folds, out_of_fold
from mintmark.classify.strata import deal
from mintmark.data.images import ImageSet, to_unit
from mintmark.errors import BadInput
from mintmark.evidence import Measurement
from mintmark.intervals import mean
from mintmark.neighbours import nearest
from mintmark.progress import track

LEAST_OF_EACH = 2  # records of each corruption: two images, to paste one into the other


@dataclass(frozen=True, kw_only=True, slots=True)
class Planting:
    """How the copies are made in which a screening must find what is known to be wrong.

    Attributes:
        share: Of the records that are made wrong.
        draws: Copies, each with other records made wrong.
        level: Coverage of the interval over the copies.
    """

    share: float
    draws: int
    level: float

    def __post_init__(self) -> None:
        for name in ("share", "level"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if self.draws < 2:
            raise ValueError(f"draws must be at least 2, of which an interval can be known, got {self.draws}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Screening:
    """How training records are screened.

    Attributes:
        folds: How the networks are taught that doubt labels.
        num_neighbours: Over how many the distance of an outlier is averaged.
        most_suspects: The most that are listed, of each kind.
        planting: How the precision is measured.
    """

    folds: Folds
    num_neighbours: int
    most_suspects: int
    planting: Planting

    def __post_init__(self) -> None:
        for name in ("num_neighbours", "most_suspects"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Screened:
    """What a screening found.

    Attributes:
        scores: One a record, higher for more suspicious; NaN where a record has no label to doubt.
        believed: The likeliest other class of each record, -1 where labels were not screened or there is none.
        planted: Average precision with which records made wrong on purpose were found among these.
        suspects: Rows of the most suspicious records, the worst first.
    """

    scores: Float[np.ndarray, " n"]
    believed: Int64[np.ndarray, " n"]
    planted: Measurement
    suspects: Int64[np.ndarray, " suspects"]


class Findings(NamedTuple):
    """Both screenings of some records; no labels' where they are of one class, or fewer than the folds."""

    labels: Screened | None
    outliers: Screened

    @property
    def measurements(self) -> list[Measurement]:
        """With what precision planted records were found."""
        return [one.planted for one in (self.labels, self.outliers) if one is not None]


def screen(records: ImageSet, *, screening: Screening, corruptions: Mapping[str, float], seed: int) -> Findings:
    """Doubt the labels, where there are some to compare, and look for outliers.

    Raises:
        BadInput: the records are too few for so many neighbours or corruptions.
    """
    common: dict[str, Any] = {"planting": screening.planting, "most_suspects": screening.most_suspects, "seed": seed}
    given = records.codes[records.codes >= 0]
    comparable = len(np.unique(given)) >= 2 and len(given) >= screening.folds.number
    return Findings(
        screen_labels(records, folds=screening.folds, **common) if comparable else None,
        screen_outliers(records, num_neighbours=screening.num_neighbours, corruptions=corruptions, **common),
    )


def screen_labels(records: ImageSet, *, folds: Folds, planting: Planting, most_suspects: int, seed: int) -> Screened:
    """Doubt each label by a network that was taught without it.

    Args:
        records: To screen; the unlabelled are left out. Only a label that is less likely than another is suspected.
        folds: How the networks are taught.
        planting: How the precision is measured.
        most_suspects: The most that are listed.
        seed: Of every draw.

    Raises:
        BadInput: the labelled records or the classes are too few.
    """
    labelled = np.flatnonzero(records.codes >= 0)
    images, codes = records.take(labelled).tensors()
    num_classes = len(records.classes)
    own, *others = np.random.SeedSequence(seed).spawn(1 + planting.draws)
    precisions = []
    for draw in track(others, "planted-labels"):
        rng = np.random.default_rng(draw)
        given, planted = wrong_labels.plant(codes.numpy(), num_classes=num_classes, share=planting.share, rng=rng)
        found = _doubted(images, torch.from_numpy(given), num_classes, folds, rng)[0]
        precisions.append(average_precision(planted, found.double().numpy()))
    found, other = _doubted(images, codes, num_classes, folds, np.random.default_rng(own))
    scores, believed = np.full(len(records), np.nan), np.full(len(records), -1)
    scores[labelled], believed[labelled] = found.double().numpy(), other.numpy()
    doubtful = np.where(scores > 0, scores, -np.inf)
    return Screened(
        scores=scores,
        believed=believed,
        planted=_measured("wrong_labels", "wrong labels", precisions, planting),
        suspects=_worst(doubtful, most_suspects),
    )


def screen_outliers(
    records: ImageSet,
    *,
    num_neighbours: int,
    corruptions: Mapping[str, float],
    planting: Planting,
    most_suspects: int,
    seed: int,
) -> Screened:
    """Measure how far each record lies from its nearest neighbours, itself left out; labels play no part.

    Args:
        records: To screen.
        num_neighbours: Over how many a distance is averaged: more of them than outliers of one kind.
        corruptions: What is done to the records that are made wrong, each in equal parts, by its strength.
        planting: How the precision is measured.
        most_suspects: The most that are listed.
        seed: Of every draw.

    Raises:
        BadInput: the records are too few for so many neighbours or corruptions, or there is no corruption.
    """
    if not corruptions:
        raise BadInput("corruptions: expected at least one, got none")
    precisions = []
    for draw in track(np.random.SeedSequence(seed).spawn(planting.draws), "planted-outliers"):
        rng = np.random.default_rng(draw)
        least = LEAST_OF_EACH * len(corruptions)
        planted = wrong_labels.chosen(len(records), share=planting.share, rng=rng, least=least)
        found = left_out_distances(to_unit(_spoilt(records, planted, corruptions, rng)), num_neighbours=num_neighbours)
        precisions.append(average_precision(planted, found.double().numpy()))
    scores = left_out_distances(to_unit(records.images), num_neighbours=num_neighbours).double().numpy()
    return Screened(
        scores=scores,
        believed=np.full(len(records), -1),
        planted=_measured("outliers", "corrupted records", precisions, planting),
        suspects=_worst(scores, most_suspects),
    )


def suspects_table(records: ImageSet, findings: Findings) -> pd.DataFrame:
    """What a person looks through: `id`, `label`, `why` ("wrong label", "outlier"), `likelier` (label), `score`.

    It names real records, so it is for inside, never for a release.
    """
    names = np.array([*records.classes, None], dtype=object)  # -1 is the last
    rows = [
        {
            "id": records.ids[int(row)],
            "label": names[records.codes[row]],
            "why": why,
            "likelier": names[screened.believed[row]],
            "score": screened.scores[row],
        }
        for why, screened in (("wrong label", findings.labels), ("outlier", findings.outliers))
        if screened is not None
        for row in screened.suspects
    ]
    return pd.DataFrame(rows, columns=["id", "label", "why", "likelier", "score"])


def left_out_distances(
    images: Float[torch.Tensor, "n channels height width"], *, num_neighbours: int
) -> Float[torch.Tensor, " n"]:
    """Mean Euclidean distance of each image to its nearest neighbours among the others.

    Raises:
        BadInput: there are no more images than neighbours.
    """
    if not 1 <= num_neighbours < len(images):
        raise BadInput(f"num_neighbours: expected 1 to {len(images) - 1}, fewer than the records, got {num_neighbours}")
    flat = images.flatten(1)
    return nearest(flat, flat, k=num_neighbours, same_set=True).distances.mean(dim=1)


def average_precision(planted: Bool[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """Precision at each planted record's rank, averaged: 1 if all rank first, about their share at random."""
    return float(average_precision_score(planted, scores))


def _doubted(
    images: torch.Tensor, codes: torch.Tensor, num_classes: int, folds: Folds, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """How doubtful each label is, and the likeliest other class."""
    seed = int(rng.integers(2**62))
    beliefs = out_of_fold(images, codes, num_classes=num_classes, folds=folds, seed=seed)
    other = beliefs.scatter(1, codes[:, None], -torch.inf).argmax(dim=1)
    return wrong_labels.doubts(beliefs, codes), other


def _spoilt(
    records: ImageSet, planted: np.ndarray, corruptions: Mapping[str, float], rng: np.random.Generator
) -> np.ndarray:
    """The images, the planted ones corrupted."""
    rows = np.flatnonzero(planted)
    part = deal(records.codes[rows], num_parts=len(corruptions), rng=rng)
    images = records.images.copy()
    for place, (name, strength) in enumerate(corruptions.items()):
        some = rows[part == place]
        images[some] = corrupt(records.images[some], name=name, strength=strength, rng=rng)
    return images


def _measured(kind: str, what: str, precisions: list[float], planting: Planting) -> Measurement:
    value, low, high = mean(np.array(precisions), level=planting.level)
    return Measurement(
        name=f"{kind}_average_precision",
        value=value,
        unit="rate",
        low=max(0.0, low),
        high=min(1.0, high),
        level=planting.level,
        n=planting.draws,
        note=(
            f"average precision with which {what}, planted in {planting.share:g} of the training records, are found; "
            f"about {planting.share:g} if they were ranked at random"
        ),
    )


def _worst(scores: np.ndarray, most: int) -> np.ndarray:
    """Rows of the highest finite scores."""
    order = np.argsort(-scores, kind="stable")[:most]
    return order[np.isfinite(scores[order])]
