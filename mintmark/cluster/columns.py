"""A table's columns as points.

Two records whose numbers differ by a standard deviation are as far apart as two of different categories. A number is
standardised by its column's mean and standard deviation, and held within `FARTHEST` of them, so that no single value
makes a cluster. Where it is missing it is taken for the median, and a column of its own says so. A category is one
column a value, of 0 and the root of a half; a missing one is a category as well. Columns that tell no records apart, or
every record from every other, are left out. Knows nothing of clusters.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Float64

from mintmark.data.records import Form
from mintmark.errors import BadInput

FARTHEST = 3.0  # standard deviations
MOST_CATEGORIES = 50  # text of more different values is no category
MISSING = "(missing)"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Column:
    """One column that takes part.

    Attributes:
        name: As in the table.
        categories: Its values in the order of their codes; None for numbers.
        numbers: The column's own, NaN where missing, or codes of categories.
    """

    name: str
    categories: tuple[str, ...] | None
    numbers: Float64[np.ndarray, " n"]


class Points(NamedTuple):
    """A table as clusterings take it.

    Attributes:
        points: One record an image of one row.
        columns: What they are made of.
        left_out: Why each other column is not among them.
    """

    points: Float[torch.Tensor, "n 1 1 features"]
    columns: tuple[Column, ...]
    left_out: dict[str, str]


def points_of(table: pa.Table, form: Form, *, drop: Collection[str]) -> Points:
    """The points of all records.

    Args:
        table: The payload columns of every record.
        form: Tells the columns' types.
        drop: Columns to leave out.

    Raises:
        BadInput: a column to leave out is unknown, one holds infinite numbers, or none is left that tells records apart.
    """
    unknown = sorted(set(drop) - set(form.columns))
    if unknown:
        raise BadInput(f"--drop: expected columns among {list(form.columns)}, got {unknown[0]!r}")
    left_out = dict.fromkeys(drop, "as asked")
    columns, features = [], []
    for name in form.columns:
        if name in left_out:
            continue
        column = _column(name, table.column(name))
        reason = _reason_to_leave_out(column)
        if reason is None:
            columns.append(column)
            features.append(_features(column))
        else:
            left_out[name] = reason
    if not columns:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise BadInput(f"expected a column that tells records apart, found none ({reasons})")
    points = torch.from_numpy(np.concatenate(features, axis=1)).float()
    return Points(points[:, None, None], tuple(columns), left_out)


def _column(name: str, values: pa.ChunkedArray) -> Column:
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        numbers = values.cast(pa.float64(), safe=False).to_numpy()  # a null becomes NaN
        endless = int(np.isinf(numbers).sum())
        if endless:
            raise BadInput(f"column {name!r}: expected finite numbers, got {endless} infinite ones")
        return Column(name=name, categories=None, numbers=numbers)
    words = [MISSING if value is None else str(value) for value in values.to_pylist()]
    categories, codes = np.unique(np.array(words, dtype=object).astype(str), return_inverse=True)
    return Column(name=name, categories=tuple(categories.tolist()), numbers=codes.astype(np.float64))


def _reason_to_leave_out(column: Column) -> str | None:
    if column.categories is None:
        known = column.numbers[~np.isnan(column.numbers)]
        if not len(known):
            return "no value"
        return "one value throughout" if len(known) == len(column.numbers) and np.ptp(known) == 0 else None
    num = len(column.categories)
    if num == 1:
        return "one value throughout"
    if num > MOST_CATEGORIES or num == len(column.numbers):
        return f"{num} different values, which are no categories"
    return None


def _features(column: Column) -> Float64[np.ndarray, "n features"]:
    if column.categories is not None:
        return np.sqrt(0.5) * (column.numbers[:, None] == np.arange(len(column.categories)))
    missing = np.isnan(column.numbers)
    known = column.numbers[~missing]
    filled = np.where(missing, np.median(known), column.numbers)
    deviations = (filled - known.mean()) / max(known.std(), np.finfo(float).tiny)
    features = [deviations.clip(-FARTHEST, FARTHEST)]
    return np.stack([*features, missing.astype(np.float64)] if missing.any() else features, axis=1)
