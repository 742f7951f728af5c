"""Which regions of the real data a release covers, misses or copies.

A region is a cell of some partition, given as one code a record; regions come from the real data, and a release's
records carry the code of the region they would belong to. Knows nothing of how the partition was made.

What is compared with what:

- coverage: the share of a region's real records whose ball holds a released record (Naeem et al. 2020).
- the real floor: the same share when fresh *real* records take the release's place. One half of the real records is
  covered by the other half, and by as many released ones, at the same number of records and the same balls, over
  several halvings. What lies between the two is the release's fault; what lies between the floor and 1 is not.
- close records: released records that lie nearer to a real one than the real records of that region do to each other,
  at a low quantile. Fresh records would be so in about that share.
- the control: each region's own released records are taken away, which must show.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.fidelity.coverage import covered_by, radii
from mintmark.intervals import Interval, proportion
from mintmark.neighbours import nearest

LEVEL = 0.95  # of every interval over records

Status = Literal["covered", "unsure", "missed", "empty"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How regions are judged.

    Attributes:
        neighbours: Which neighbour sets the width of a real record's ball.
        covered_from: A region is covered where its coverage's interval lies above this, and missed where it lies below.
        copy_quantile: Of the distances of a region's real records to their nearest other one; nearer than it is close.
        halvings: How many times the real records are halved for the floor.
    """

    neighbours: int
    covered_from: float
    copy_quantile: float
    halvings: int

    def __post_init__(self) -> None:
        for name in ("neighbours", "halvings"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("covered_from", "copy_quantile"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """One region.

    Attributes:
        real_records, synthetic_records: How many of each belong to it.
        coverage: Share of its real records that the release covers; None without real records.
        status: What the interval of the coverage says; "empty" without real records.
        status_without: The same once the release's records of this region are taken away.
        floor: Coverage of half of the real records by the other half; None where no half held any.
        matched: Coverage of the same half by as many released records; None where no half held any.
        close: Share of its released records nearer to a real one than real ones are to each other at the quantile; None
            without released records.
        close_real: That share among its real records; None where it has fewer than two.
        detectable: The smallest share of copies among its released records that would be named; None where none would.
    """

    real_records: int
    synthetic_records: int
    coverage: Interval | None
    status: Status
    status_without: Status
    floor: float | None
    matched: float | None
    close: Interval | None
    close_real: Interval | None
    detectable: float | None

    @property
    def copied(self) -> bool:
        """Whether the interval of `close` lies above that of `close_real`; both allow for the number of regions."""
        return self.close is not None and self.close_real is not None and self.close.low > self.close_real.high


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """All regions in the order of their codes, and floor and matched coverage over all of them, as in `Region`."""

    regions: tuple[Region, ...]
    floor: float
    matched: float


def judge(
    real: Float[torch.Tensor, "real features"],
    real_codes: Int64[np.ndarray, " real"],
    synthetic: Float[torch.Tensor, "synthetic features"],
    synthetic_codes: Int64[np.ndarray, " synthetic"],
    *,
    num_regions: int,
    rules: Rules,
    rng: np.random.Generator,
) -> Judgement:
    """What a release does to every region.

    Args:
        real: The real records' features; at least twice as many as `rules.neighbours`, and two more.
        real_codes: The region of each, 0 to `num_regions` - 1.
        synthetic: The released records' features; at least one.
        synthetic_codes: The region of each.
        num_regions: How many regions there are.
        rules: How they are judged.
        rng: Draws the halvings.

    Raises:
        ValueError: half of the real records are no more than `rules.neighbours`.
    """
    widths = radii(real, k=rules.neighbours)
    covered = covered_by(real, synthetic, widths).cpu().numpy()
    floors = _halvings(real, real_codes, synthetic, num_regions=num_regions, rules=rules, rng=rng)
    near_real, near_synthetic = _nearest_real(real, synthetic)
    regions = []
    for region in range(num_regions):
        mine, theirs = real_codes == region, synthetic_codes == region
        inside, elsewhere = torch.from_numpy(mine).to(real.device), torch.from_numpy(~theirs).to(real.device)
        coverage = _share(covered[mine], level=LEVEL)
        without = _share(covered_by(real[inside], synthetic[elsewhere], widths[inside]).cpu().numpy(), level=LEVEL)
        close, close_real = _close(near_real[mine], near_synthetic[theirs], num_regions=num_regions, rules=rules)
        regions.append(
            Region(
                real_records=int(mine.sum()),
                synthetic_records=int(theirs.sum()),
                coverage=coverage,
                status=_status(coverage, rules),
                status_without=_status(without, rules),
                floor=floors.real[region],
                matched=floors.released[region],
                close=close,
                close_real=close_real,
                detectable=_detectable(int(theirs.sum()), close_real, num_regions=num_regions),
            )
        )
    return Judgement(regions=tuple(regions), floor=floors.all_real, matched=floors.all_released)


def _nearest_real(real: torch.Tensor, synthetic: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Each real record's distance to the nearest other real one, and each released record's to the nearest real one."""
    among = nearest(real, real, same_set=True).distances[:, 0]
    return among.cpu().numpy(), nearest(synthetic, real).distances[:, 0].cpu().numpy()


class _Floors(NamedTuple):
    """Coverage of one half of the real records, by the other half and by as many released ones: by region, and in all."""

    real: list[float | None]
    released: list[float | None]
    all_real: float
    all_released: float


def _halvings(
    real: torch.Tensor,
    codes: np.ndarray,
    synthetic: torch.Tensor,
    *,
    num_regions: int,
    rules: Rules,
    rng: np.random.Generator,
) -> _Floors:
    size = min(len(real) // 2, len(synthetic))
    judged, by_real, by_released = np.zeros((3, num_regions))
    for _ in range(rules.halvings):
        order = rng.permutation(len(real))
        half, other = order[: len(real) // 2], order[len(real) // 2 :][:size]
        widths = radii(real[half], k=rules.neighbours)
        judged += np.bincount(codes[half], minlength=num_regions)
        drawn = rng.choice(len(synthetic), size, replace=False)
        covered_real = covered_by(real[half], real[other], widths).cpu().numpy()
        covered_released = covered_by(real[half], synthetic[drawn], widths).cpu().numpy()
        by_real += np.bincount(codes[half], weights=covered_real, minlength=num_regions)
        by_released += np.bincount(codes[half], weights=covered_released, minlength=num_regions)
    return _Floors(
        real=_shares(by_real, judged),
        released=_shares(by_released, judged),
        all_real=float(by_real.sum() / judged.sum()),
        all_released=float(by_released.sum() / judged.sum()),
    )


def _shares(counts: np.ndarray, wholes: np.ndarray) -> list[float | None]:
    return [part / whole if whole else None for part, whole in zip(counts.tolist(), wholes.tolist(), strict=True)]


def _close(
    near_real: np.ndarray, near_synthetic: np.ndarray, *, num_regions: int, rules: Rules
) -> tuple[Interval | None, Interval | None]:
    """Shares of a region's released and real records that are close, at a level corrected for all regions."""
    if len(near_real) < 2:
        return None, None
    level, threshold = corrected(num_regions), np.quantile(near_real, rules.copy_quantile, method="lower")
    return _share(near_synthetic <= threshold, level=level), _share(near_real <= threshold, level=level)


def _detectable(num: int, close_real: Interval | None, *, num_regions: int) -> float | None:
    if close_real is None:
        return None
    level = corrected(num_regions)
    for copies in range(num + 1):
        if num and proportion(copies, num, level=level).low > close_real.high:
            return copies / num
    return None


def corrected(num_regions: int) -> float:
    """The level of one interval of which all regions' together hold at `LEVEL` (Bonferroni)."""
    return 1 - (1 - LEVEL) / num_regions


def _share(flags: np.ndarray, *, level: float) -> Interval | None:
    return proportion(int(flags.sum()), len(flags), level=level) if len(flags) else None


def _status(coverage: Interval | None, rules: Rules) -> Status:
    if coverage is None:
        return "empty"
    if coverage.low >= rules.covered_from:
        return "covered"
    return "missed" if coverage.high < rules.covered_from else "unsure"
