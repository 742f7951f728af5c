"""Measurements and reports: what was measured, how surely, and what proves that the test could have failed.

Knows no threshold: what is good enough stands in the release rules alone.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mintmark.errors import BadInput
from mintmark.files import read_json, write_json

SIGNIFICANT_DIGITS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One number with its doubt.

    Attributes:
        name: snake_case, unique within a report.
        value: The point estimate; None where it could not be measured.
        unit: "rate" (0 to 1), "difference" (of rates, -1 to 1), "auc", "count", "distance", ...
        low, high: The interval's ends, at `level`; None for an exact count.
        level: Coverage of the interval, for example 0.95.
        n: How many independent records (or seeds) stand behind it.
        control: Name of the control that shows this test's power, in the same report; None where there is none.
        note: One plain sentence for a reader who knows no statistics.
    """

    name: str
    value: float | None
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    level: float | None = None
    control: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for end in ("value", "low", "high"):
            number = getattr(self, end)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{self.name}.{end} must be finite or None, got {number}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.name}: low must not exceed high, got {self.low} > {self.high}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What one stage found.

    Attributes:
        stage: The stage's name.
        measurements: Every measurement, in reading order.
        headline: Names of the few measurements that a person compares between runs.
        verdict: One word or short phrase, where the stage judges; else None.
        facts: Further aggregates as plain JSON values: tables, counts, choices. No record and no id.
        cost: What it took, in steps, FLOPs and counts; never in seconds.
    """

    stage: str
    measurements: tuple[Measurement, ...]
    headline: tuple[str, ...] = ()
    verdict: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [measurement.name for measurement in self.measurements]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"measurement names must be unique, got {repeated} more than once")
        unknown = sorted(set(self.headline) - set(names))
        if unknown:
            raise ValueError(f"headline must name measurements, got {unknown}")

    def __getitem__(self, name: str) -> Measurement:
        for measurement in self.measurements:
            if measurement.name == name:
                return measurement
        raise KeyError(f"{self.stage} has no measurement {name!r}")


def write_report(report: Report, folder: Path) -> None:
    """Write `report.json` (everything) and `metrics.json` (the headline values) into a folder."""
    write_json(folder / "report.json", _rounded(asdict(report)))
    metrics = {name: report[name].value for name in report.headline}
    if report.verdict is not None:
        metrics["verdict"] = report.verdict  # type: ignore[assignment]
    write_json(folder / "metrics.json", _rounded(metrics))


def read_report(folder: Path) -> Report:
    """The report that `write_report` left in a folder.

    Raises:
        BadInput: the file is missing or is not a report.
    """
    path = folder / "report.json"
    try:
        stored = read_json(path)
        measurements = tuple(Measurement(**one) for one in stored.pop("measurements"))
        return Report(measurements=measurements, headline=tuple(stored.pop("headline")), **stored)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: expected a report, got {type(error).__name__}: {error}") from error


def _rounded(value: Any) -> Any:
    """The same JSON value with floats at `SIGNIFICANT_DIGITS`, below the noise of any measurement here.

    Whole numbers stay as they are: a count of a million records is exact.
    """
    if isinstance(value, float):
        return value if value.is_integer() else float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, Mapping):
        return {str(key): _rounded(one) for key, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_rounded(one) for one in value]
    return value
