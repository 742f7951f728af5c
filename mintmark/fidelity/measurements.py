"""What is measured of a release in one space of features, each figure beside its real-to-real floor.

Knows no threshold. Intervals of distances and shares are Student's over independent draws; a share's are no narrower
than the exact ones of as many independent records. Authenticity has the exact interval of a share, given the training
records; the copying score has that of `copying_score`.
"""

from typing import Any, NamedTuple

import numpy as np

from mintmark.evidence import Measurement
from mintmark.fidelity.comparison import MEASURES, Comparison, Judged
from mintmark.intervals import Interval, mean, proportion

LEVEL = 0.95


class _Words(NamedTuple):
    """A measure's unit, what it says, and the least and greatest value that it can take."""

    unit: str
    note: str
    lowest: float = 0.0
    highest: float = np.inf


WORDS = {
    "frechet_distance": _Words("distance", "Distance between the two sets' means and spreads"),
    "kernel_distance": _Words("distance", "Distance between the two sets, 0 on average for one population", -np.inf),
    "precision": _Words("rate", "Share of these records within the real ones' spread", 0.0, 1.0),
    "recall": _Words("rate", "Share of real records within these ones' spread", 0.0, 1.0),
    "density": _Words("ratio", "1 where these records lie as densely as real ones"),
    "coverage": _Words("rate", "Share of real records with one of these among their neighbours", 0.0, 1.0),
    "copying_score": _Words(
        "score", "Far below 0 where these records lie nearer to training records than fresh ones do"
    ),
    "authenticity": _Words("rate", "Share of these records farther from a training record than another one is"),
}


def measure(found: Comparison, *, space: str) -> tuple[Measurement, ...]:
    """Every measure of the release and of its floor, named after the space of features."""
    rows = []
    for name in MEASURES:
        for suffix, values in (("", found.released[name]), ("_floor", found.floor[name])):
            interval = _over_draws(values, WORDS[name], size=found.size)
            rows.append(_row(space, name, suffix, interval, n=found.size))
    for name, of in (("copying_score", _copying), ("authenticity", _authenticity)):
        for suffix, judged in (("", found.released_memory), ("_floor", found.floor_memory)):
            rows.append(_row(space, name, suffix, of(judged), n=len(judged.authentic)))
    return tuple(rows)


def unmeasured(*, space: str, reason: str) -> tuple[Measurement, ...]:
    """The same rows without a value, where a space could not be compared in.

    Args:
        space: Of features.
        reason: What would have been needed, as the end of a sentence.
    """
    return tuple(
        Measurement(
            name=f"{space}_{name}{suffix}",
            value=None,
            unit=words.unit,
            n=0,
            control=None if suffix else f"{space}_{name}_floor",
            note=f"Not measured: it needs {reason}.",
        )
        for name, words in WORDS.items()
        for suffix in ("", "_floor")
    )


def excess(found: Comparison) -> dict[str, dict[str, float]]:
    """How far the release lies above its floor, by measure, paired by draw: value and ends, as plain JSON values."""
    differences = {name: mean(found.released[name] - found.floor[name], level=LEVEL) for name in MEASURES}
    return {name: interval._asdict() for name, interval in differences.items()}


def facts(found: Comparison, *, num_features: int, num_train: int) -> dict[str, Any]:
    """Sizes and `excess`, for the report."""
    return {
        "sample_records": found.size,
        "draws": len(found.floor["coverage"]),
        "train_records": num_train,
        "features": num_features,
        "excess": excess(found),
    }


def _row(space: str, name: str, suffix: str, interval: Interval | None, *, n: int) -> Measurement:
    value, low, high = interval or (None, None, None)
    words = WORDS[name]
    return Measurement(
        name=f"{space}_{name}{suffix}",
        value=value,
        low=low,
        high=high,
        level=None if interval is None else LEVEL,
        unit=words.unit,
        n=n,
        control=None if suffix else f"{space}_{name}_floor",
        note=f"Control: the same of fresh real records, as many. {words.note}." if suffix else f"{words.note}.",
    )


def _over_draws(values: np.ndarray, words: _Words, *, size: int) -> Interval:
    value, low, high = mean(values, level=LEVEL)
    if words.unit == "rate":
        exact = proportion(round(value * size * len(values)), size * len(values), level=LEVEL)
        low, high = min(low, exact.low), max(high, exact.high)
    return Interval(value, max(low, words.lowest), min(high, words.highest))


def _copying(judged: Judged) -> Interval | None:
    return judged.copying


def _authenticity(judged: Judged) -> Interval:
    return proportion(int(judged.authentic.sum()), len(judged.authentic), level=LEVEL)
