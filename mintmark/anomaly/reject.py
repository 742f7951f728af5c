"""The reject option (Chow 1970): a classifier that leaves unanswered what looks strange, or what it is unsure of.

Records are rejected from the highest score down. The fewer are kept, the fewer of the kept should be answered wrongly:
the curve of accuracy over coverage. The area under the wrong answers' share sums it up in one number (Geifman et al.
2019): the mean, over the records, of that share among all that score no higher. A score that knows nothing keeps the
share as it is, so its area is the share of all wrong answers.

An answer to a corrupted record is right where it names the class that the record had before. Knows nothing of
classifiers: what they answered is handed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int64

from mintmark.anomaly.scoring import Case, Scores, from_parts
from mintmark.errors import BadInput
from mintmark.evidence import Measurement
from mintmark.intervals import RESAMPLES, proportion, resampled_counts

CONFIDENCE, RANDOM = "confidence", "random"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mixture:
    """Labelled records of a trial, untouched and corrupted ones at a stated share, and how they were answered.

    Attributes:
        normals: Rows among the trial's normals.
        anomalies: Rows among its anomalies, corruption after corruption.
        right: Whether each is answered rightly, the normals first.
    """

    normals: Int64[np.ndarray, " normals"]
    anomalies: Int64[np.ndarray, " anomalies"]
    right: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.right)

    @property
    def corrupted(self) -> Bool[np.ndarray, " n"]:
        """Which of them are."""
        return np.arange(len(self)) >= len(self.normals)

    def of(self, scores: Scores) -> Float[np.ndarray, " n"]:
        """A detector's scores of these records."""
        parts = [scores.normals[torch.from_numpy(self.normals)], scores.all_anomalies[torch.from_numpy(self.anomalies)]]
        return torch.cat(parts).double().numpy()


def mix(
    case: Case, logits: Float[torch.Tensor, "n classes"], *, corrupted_share: float, rng: np.random.Generator
) -> Mixture:
    """As many labelled records of the trial as can have this share of corrupted ones.

    Args:
        case: What was answered.
        logits: The classifier's answers to all of the case's images.
        corrupted_share: Of the records; above 0 and below 1.
        rng: Which records are left out.

    Raises:
        BadInput: the trial has no labelled record on one of its sides.
    """
    answered = case.split(logits.argmax(dim=1))
    codes = [case.trial.normal_codes, np.concatenate(list(case.trial.anomaly_codes.values()))]
    answers = [answered.normals.numpy(), torch.cat(list(answered.anomalies.values())).numpy()]
    labelled = [rng.permutation(np.flatnonzero(known >= 0)) for known in codes]
    if not all(map(len, labelled)):
        raise BadInput("test: expected labelled records among the untouched and among the corrupted, found none of one")
    total = min(len(labelled[0]) / (1 - corrupted_share), len(labelled[1]) / corrupted_share)
    numbers = [max(1, round(total * share)) for share in (1 - corrupted_share, corrupted_share)]
    chosen = [np.sort(rows[:number]) for rows, number in zip(labelled, numbers, strict=True)]
    right = [said[rows] == known[rows] for said, known, rows in zip(answers, codes, chosen, strict=True)]
    return Mixture(normals=chosen[0], anomalies=chosen[1], right=np.concatenate(right))


def doubt(case: Case, logits: Float[torch.Tensor, "n classes"]) -> Scores:
    """Minus the logarithm of the probability that the classifier gives to its own answer, 0 or more: its own rejecter."""
    in_order, _ = logits.double().sort(dim=1, descending=True)
    others = (in_order[:, 1:] - in_order[:, :1]).exp().sum(dim=1)  # their probability, in units of the answer's
    return from_parts(CONFIDENCE, case.split(others.log1p().float()))


def curves(rejecters: Sequence[Scores], mixture: Mixture) -> pd.DataFrame:
    """What is kept at every threshold: `rejecter`, `coverage`, `accuracy`, `corrupted_share`, coverage rising.

    The last rejecter is the one that knows nothing, at full coverage and at none.
    """
    tables = []
    for one in rejecters:
        scores = mixture.of(one)
        order = np.argsort(scores, kind="stable")
        ends = np.flatnonzero(np.diff(scores[order], append=np.inf))  # ties are kept or rejected together
        kept = np.arange(1, len(scores) + 1)
        shares = {
            "coverage": kept / len(scores),
            "accuracy": mixture.right[order].cumsum() / kept,
            "corrupted_share": mixture.corrupted[order].cumsum() / kept,
        }
        tables.append(pd.DataFrame({"rejecter": one.kind, **{name: values[ends] for name, values in shares.items()}}))
    known_nothing = {"accuracy": mixture.right.mean(), "corrupted_share": mixture.corrupted.mean()}
    tables.append(pd.DataFrame({"rejecter": RANDOM, "coverage": [0.0, 1.0], **known_nothing}))
    return pd.concat(tables, ignore_index=True)


def measure(
    rejecters: Sequence[Scores],
    mixture: Mixture,
    *,
    thresholds: Mapping[str, float],
    rng: np.random.Generator,
    level: float,
) -> list[Measurement]:
    """What each rejecter keeps at its threshold, and the areas under its risk, against random and against confidence.

    Args:
        rejecters: With `doubt` among them.
        mixture: The records that are kept or rejected.
        thresholds: By rejecter; set without these records.
        rng: Of the bootstrap, which draws untouched and corrupted records apart, the same ones for every rejecter.
        level: Coverage of every interval.
    """
    mixed = f"of {len(mixture)} records, {mixture.corrupted.mean():.0%} of them corrupted"
    answered = _share(
        "answered_accuracy", mixture.right, level, f"share of right answers where every record is answered, {mixed}"
    )
    kept = [found for one in rejecters for found in _kept(one, mixture, thresholds[one.kind], level, mixed)]
    return [answered, *kept, *_areas(rejecters, mixture, rng, level)]


def risk_areas(
    scores: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"], counts: Int64[np.ndarray, "resamples n"]
) -> Float[np.ndarray, " resamples"]:
    """The area under the risk, by how often each record counts; records of one score are kept or rejected together."""
    order = np.argsort(scores, kind="stable")
    weights, in_order = counts[:, order], scores[order]
    ends = np.searchsorted(in_order, in_order, side="right") - 1
    kept, errors = weights.cumsum(axis=1), (weights * wrong[order]).cumsum(axis=1)
    risks = errors[:, ends] / np.maximum(kept[:, ends], 1)
    return (weights * risks).sum(axis=1) / weights.sum(axis=1)


def _kept(scores: Scores, mixture: Mixture, threshold: float, level: float, mixed: str) -> list[Measurement]:
    kind, kept = scores.kind, mixture.of(scores) <= threshold
    through = f"that {kind} lets through to be answered"
    return [
        _share(f"{kind}_kept_share", kept, level, f"share of the records {through}, {mixed}"),
        _share(
            f"{kind}_kept_corrupted_share", kept[mixture.corrupted], level, f"share of the corrupted records {through}"
        ),
        _share(
            f"{kind}_kept_accuracy",
            mixture.right[kept],
            level,
            f"share of right answers among the records that {kind} lets through",
        ),
    ]


def _share(name: str, flags: Bool[np.ndarray, " n"], level: float, note: str) -> Measurement:
    """The share of flags that are set, with its exact interval; no value where nothing was let through."""
    if not len(flags):
        return Measurement(name=name, value=None, unit="rate", n=0, note="nothing was let through")
    found = proportion(int(flags.sum()), len(flags), level=level)
    return Measurement(name=name, unit="rate", n=len(flags), level=level, note=note, **found._asdict())


def _areas(rejecters: Sequence[Scores], mixture: Mixture, rng: np.random.Generator, level: float) -> list[Measurement]:
    """Of each rejecter the area, what it lies below random, and, but for confidence itself, below confidence."""
    wrong, num_normals = ~mixture.right, len(mixture.normals)
    drawn = resampled_counts(num_normals, len(mixture) - num_normals, rng, RESAMPLES)
    counts = np.concatenate(
        [np.ones((1, len(mixture)), np.int64), *(np.concatenate(both, axis=1) for both in drawn)]
    )  # first the records as they are
    of_random = (counts * wrong).sum(axis=1) / counts.sum(axis=1)
    areas = {one.kind: risk_areas(mixture.of(one), wrong, counts) for one in rejecters}

    def measured(values: np.ndarray, name: str, unit: str, note: str) -> Measurement:
        low, high = np.quantile(values[1:], [0.5 - level / 2, 0.5 + level / 2]).tolist()
        value = float(values[0])
        return Measurement(
            name=name, value=value, unit=unit, n=len(mixture), low=low, high=high, level=level, note=note
        )

    found = []
    for kind, area in areas.items():
        what = "share of wrong answers among what is kept, averaged over how much is kept"
        found.append(
            measured(area, f"{kind}_risk_area", "rate", f"{what}, rejecting by {kind} first what it scores highest")
        )
        others = {RANDOM: of_random} | ({CONFIDENCE: areas[CONFIDENCE]} if kind != CONFIDENCE else {})
        for other, its_area in others.items():
            note = f"below 0 it is better to reject by {kind} than {'at random' if other == RANDOM else f'by {other}'}"
            found.append(measured(area - its_area, f"{kind}_minus_{other}_risk_area", "difference", note))
    return found
