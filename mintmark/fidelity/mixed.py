"""The distance to the closest record of a table with numbers and categories, in one exact blocked pass.

The distance of two records is the mean over columns: of numbers, the difference in units of the reference's range, at most
1; of categories, 0 where they agree and 1 where not (Gower 1971). A missing value is as far from any other as can be, and
at 0 from another missing one. These are the definitions of SDMetrics' distance to closest record, which asks pair by pair.
A warning, no proof of safety: sets that pass such distances leak all the same (Yao et al. 2025).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64

BLOCK_ELEMENTS = 1 << 18  # of distances: small enough for a processor's cache


class MixedRecords(NamedTuple):
    """Records of a table.

    Attributes:
        numbers: NaN where missing.
        categories: Codes, the same in all sets that are compared; -1 where missing.
    """

    numbers: Float64[np.ndarray, "n numbers"]
    categories: Int64[np.ndarray, "n categories"]

    def __len__(self) -> int:
        """How many."""
        return len(self.numbers)


class Closer(NamedTuple):
    """How many records lie closer to one reference than to another.

    Attributes:
        first: Share closer to the first.
        second: Share closer to the second.
        tied: Share as close to either: a copy of a record that both hold, for one.
    """

    first: float
    second: float
    tied: float


def closest(queries: MixedRecords, reference: MixedRecords) -> Float64[np.ndarray, " queries"]:
    """The distance from each query to the closest reference record, 0 to 1.

    Raises:
        ValueError: there is no reference record or no column, or the columns are not as many in both.
    """
    shapes = [(one.numbers.shape[1], one.categories.shape[1]) for one in (queries, reference)]
    if shapes[0] != shapes[1] or not len(reference) or not sum(shapes[0]):
        raise ValueError(f"queries and reference must have the same columns and reference a record, got {shapes}")
    low, high = (_over_known(reference.numbers, how) for how in (np.fmin, np.fmax))
    ours, theirs = (_scaled(one.numbers, low, high).T.contiguous() for one in (queries, reference))
    hot = _hot(queries.categories, reference.categories)
    rows = max(1, BLOCK_ELEMENTS // len(reference))
    num_categories = shapes[0][1]
    found = []
    for start in range(0, len(queries), rows):
        some = slice(start, start + rows)
        # agreements are whole numbers, which float32 holds exactly
        total = (num_categories - hot[0][some] @ hot[1].T).double()
        for mine, other in zip(ours[:, some], theirs, strict=True):
            total += _differences(mine, other)
        found.append(total.amin(dim=1))
    return (torch.cat(found) / sum(shapes[0])).numpy() if found else np.zeros(0)


def compare_closest(queries: MixedRecords, first: MixedRecords, second: MixedRecords) -> Closer:
    """Which of two references each query is closer to: of synthetic records, say, training or held-out ones."""
    to_first, to_second = closest(queries, first), closest(queries, second)
    shares = [float(np.mean(one)) for one in (to_first < to_second, to_second < to_first, to_first == to_second)]
    return Closer(*shares)


def _over_known(numbers: np.ndarray, how: np.ufunc) -> np.ndarray:
    """The least or the greatest of each column, whatever is missing; 0 where all is."""
    return np.nan_to_num(how.reduce(numbers, axis=0))


def _scaled(numbers: np.ndarray, low: np.ndarray, high: np.ndarray) -> torch.Tensor:
    """In units of the range; of a column that never varies in the reference, any other value lies beyond 1."""
    varies = high > low
    scaled = (numbers - low) / np.where(varies, high - low, 1.0)
    fixed = np.where(np.isnan(numbers), np.nan, 2.0 * (numbers != low))
    return torch.from_numpy(np.where(varies, scaled, fixed))


def _differences(mine: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """One column's part of the distances: (queries, reference)."""
    apart = (mine[:, None] - other[None]).abs_().clamp_(max=1.0)
    lacking = mine.isnan()[:, None], other.isnan()[None]
    if lacking[0].any() or lacking[1].any():
        apart = torch.where(lacking[0] & lacking[1], 0.0, torch.where(lacking[0] | lacking[1], 1.0, apart))
    return apart


def _hot(left: np.ndarray, right: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sets' categories with one column a value, 1 where a record has it."""
    both = np.concatenate([left, right])
    parts = [(both[:, [column]] == np.unique(both[:, column])) for column in range(both.shape[1])]
    hot = np.concatenate([np.zeros((len(both), 0), bool), *parts], axis=1).astype(np.float32)
    return torch.from_numpy(hot[: len(left)]), torch.from_numpy(hot[len(left) :])
