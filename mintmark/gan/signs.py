"""Whether a training went wrong, as numbers and in words: modes missed, classes shrunk, players drifting apart.

The words are advice to whoever trains, by the thresholds below; whether data are released is the release rules' business.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64

from mintmark.evidence import Measurement
from mintmark.gan import diagnosis
from mintmark.gan.history import COLUMNS
from mintmark.intervals import Interval

Images = Float[torch.Tensor, "n channels height width"]
Codes = Int64[torch.Tensor, " n"]

LEAST_COVERAGE = 0.5  # of what training images cover; below it even at the intervals' nearest ends, modes are missed
LEAST_SPREAD = 0.1  # of a class's variance in training; on the digits, sound trainings kept at least 0.2 of it
LEAST_SPREAD_RECORDS = 5  # a variance of fewer records says little
MOST_GROWTH = 3.0  # of the gap between real and fake logits, from the second quarter of the steps to the last
LEAST_GAP = 1.0  # logits; a smaller gap is no sign, however it grew
LEAST_ROWS = 8  # of the history; fewer have no quarters


class Signs(NamedTuple):
    """Measurements, and a sentence for each thing that went wrong."""

    measurements: tuple[Measurement, ...]
    findings: tuple[str, ...]


def memory_signs(
    train_logits: Float64[np.ndarray, " train"],
    validation_logits: Float64[np.ndarray, " validation"],
    *,
    rng: np.random.Generator,
) -> Signs:
    """How well the discriminator's logits tell training from validation images; unknown without the latter."""
    found = diagnosis.memory(train_logits, validation_logits, rng=rng) if len(validation_logits) else None
    measurement = Measurement(
        name="train_validation_logit_auc",
        value=found and found.value,
        low=found and found.low,
        high=found and found.high,
        level=0.95,
        unit="auc",
        n=len(train_logits) + len(validation_logits),
        note="How well the discriminator tells its training images from others; 0.5 where it learnt none by heart.",
    )
    return Signs((measurement,), ())


def coverage_signs(
    validation: Images, samples: Float[torch.Tensor, "s channels height width"], known: Images | torch.Tensor
) -> Signs:
    """Coverage of validation images by samples, beside that by as many training images (`known`)."""
    found = diagnosis.coverage(validation, samples) if len(validation) > 1 else None
    ceiling = diagnosis.coverage(validation, known) if len(validation) > 1 else None
    measurements = (
        _coverage("validation_coverage", found, len(validation), "generated images"),
        _coverage(
            "validation_coverage_by_train",
            ceiling,
            len(validation),
            "training images: what a perfect generator would reach",
        ),
    )
    findings = ()
    if found is not None and ceiling is not None and found.high < LEAST_COVERAGE * ceiling.low:
        sentence = (
            f"The generator misses modes: its images come near {found.value:.0%} of the validation images, as many "
            f"training images near {ceiling.value:.0%}."
        )
        findings = (sentence,)
    return Signs(measurements, findings)


def _coverage(name: str, found: Interval | None, num: int, words: str) -> Measurement:
    return Measurement(
        name=name,
        value=found and found.value,
        low=found and found.low,
        high=found and found.high,
        level=0.95,
        unit="rate",
        n=num,
        control="validation_coverage_by_train" if name == "validation_coverage" else None,
        note=f"Share of validation images with a near neighbour among {words}; low after mode collapse.",
    )


def spread_signs(
    samples: Images,
    sample_codes: Codes,
    known: Float[torch.Tensor, "k channels height width"],
    known_codes: Int64[torch.Tensor, " k"],
    classes: Sequence[str],
) -> Signs:
    """The variance of each class's samples as a share of its training images' (`known`), summed over pixels."""
    shares = {
        name: _spread(samples[sample_codes == code]) / full
        for code, name in enumerate(classes)
        if (known_codes == code).sum() >= LEAST_SPREAD_RECORDS
        and (sample_codes == code).sum() >= LEAST_SPREAD_RECORDS
        and (full := _spread(known[known_codes == code])) > 0
    }
    ordered = sorted(shares.values())
    measurements = (
        _share("class_spread_median", ordered[len(ordered) // 2] if ordered else None, len(ordered), "median class"),
        _share("class_spread_least", ordered[0] if ordered else None, len(ordered), "class of least spread"),
    )
    shrunk = [name for name, share in shares.items() if share < LEAST_SPREAD]
    findings = ()
    if shrunk:
        sentence = (
            f"The generator draws nearly one image of {', '.join(shrunk)}: there its images vary less than "
            f"{LEAST_SPREAD:.0%} as much as training images."
        )
        findings = (sentence,)
    return Signs(measurements, findings)


def _spread(images: Images) -> float:
    return float(images.flatten(1).double().var(dim=0).sum())


def _share(name: str, value: float | None, num: int, words: str) -> Measurement:
    note = f"Variance of generated images of the {words}, as a share of its training images'; 0 for a single image."
    return Measurement(name=name, value=value, unit="ratio", n=num, note=note)


def convergence_signs(rows: Float64[torch.Tensor, "rows columns"]) -> Signs:
    """How far apart the discriminator holds real and fake images at the end, and how much further than before.

    Args:
        rows: The history, in the order of `COLUMNS`.
    """
    gaps = (rows[:, COLUMNS.index("real_logit")] - rows[:, COLUMNS.index("fake_logit")]).abs()
    quarter = len(gaps) // 4
    known = len(gaps) >= LEAST_ROWS
    gap = float(gaps[-quarter:].mean()) if known else None
    before = float(gaps[quarter : 2 * quarter].mean()) if known else None
    growth = gap / before if gap is not None and before else None
    measurements = (
        Measurement(
            name="logit_gap",
            value=gap,
            unit="logits",
            n=len(gaps),
            note="Between real and generated images, in the last quarter of the steps.",
        ),
        Measurement(
            name="logit_gap_growth",
            value=growth,
            unit="ratio",
            n=len(gaps),
            note="That gap over the one in the second quarter; far above 1, the players drift apart.",
        ),
    )
    findings = ()
    if gap is not None and growth is not None and gap > LEAST_GAP and growth > MOST_GROWTH:
        sentence = (
            f"The training does not converge: the discriminator holds real and generated images {gap:.2g} logits "
            f"apart, {growth:.2g} times as far as in the second quarter."
        )
        findings = (sentence,)
    return Signs(measurements, findings)
