"""Membership by coin: which records train, validate, test, and serve as the attacker's own data.

Records that must stay together form a unit. Each unit draws one coin, uniform in [0, 1); within its stratum the units
are ordered by their coins and cut at the fractions. Within a stratum any exchange of units is therefore as likely as
what was drawn, whatever else is true of them, which is what a membership audit needs of its members and non-members.

Sizes are fixed: one more member here is one less there. An attack that learns membership from some records of a class
and is scored on others lands a little below 0.5 where nothing leaks (0.48 on the digits); its null is to deal the
members anew within each class. Knows no file and no payload.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

PARTS = ("train", "validation", "test", "reference")
UNLABELLED = -1


class Membership(NamedTuple):
    """Where each record goes.

    Attributes:
        units: Each record's unit, from 0, in the order of their first records.
        coins: Each record's coin, in [0, 1); the records of a unit share one.
        parts: Each record's part, as an index into `PARTS`.
    """

    units: Int64[np.ndarray, " n"]
    coins: Float64[np.ndarray, " n"]
    parts: Int64[np.ndarray, " n"]


def units_of(num_records: int, *, together: Sequence[Int64[np.ndarray, " n"]]) -> Int64[np.ndarray, " n"]:
    """The units of records: whatever shares a number in any of the partitions is one unit, through any chain of them.

    Args:
        num_records: How many records there are.
        together: Partitions of the records; each gives a record a number from 0, or -1 where it binds it to nothing.
    """
    records = np.arange(num_records)
    links = [np.zeros((2, 0), np.int64)]
    offset = num_records
    for partition in together:
        bound = partition >= 0
        links.append(np.stack([records[bound], partition[bound] + offset]))
        offset += int(partition.max(initial=-1)) + 1
    ends = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(ends.shape[1], np.int8), tuple(ends)), shape=(offset, offset))
    found = connected_components(graph, directed=False)[1][:num_records]
    _, first, units = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[units].astype(np.int64)


def strata_of(codes: Int64[np.ndarray, " n"], units: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " units"]:
    """Each unit's stratum: the class of most of its labelled records (of equals the lowest), -1 where none is labelled."""
    labelled = codes >= 0
    strata = np.full(int(units.max(initial=-1)) + 1, UNLABELLED, np.int64)
    pairs, counts = np.unique(np.stack([units[labelled], codes[labelled]]), axis=1, return_counts=True)
    order = np.lexsort((-pairs[1], counts))  # the last of a unit is its most frequent, lowest class
    strata[pairs[0][order]] = pairs[1][order]
    return strata


def draw(
    codes: Int64[np.ndarray, " n"],
    units: Int64[np.ndarray, " n"],
    *,
    fractions: Mapping[str, float],
    unlabelled_fractions: Mapping[str, float],
    rng: np.random.Generator,
) -> Membership:
    """Toss the coins.

    In a stratum of n units, each part's count of units differs from its fraction of n by less than 1. The cut
    counts units, not records, so that a large unit's chances are those of a small one.

    Args:
        codes: Class codes; -1 for an unlabelled record.
        units: From `units_of`.
        fractions: Each part's share of the units with a label; they sum to 1.
        unlabelled_fractions: Each part's share of the others.
        rng: Where the coins come from.
    """
    strata = strata_of(codes, units)
    coins = rng.random(len(strata))
    parts = np.zeros(len(strata), np.int64)
    for stratum in np.unique(strata):
        mine = np.flatnonzero(strata == stratum)
        shares = unlabelled_fractions if stratum == UNLABELLED else fractions
        ends = np.cumsum([shares[part] for part in PARTS])[:-1]
        cuts = np.floor(ends * len(mine) + 0.5)
        parts[mine[np.argsort(coins[mine], kind="stable")]] = np.searchsorted(cuts, np.arange(len(mine)), side="right")
    return Membership(units, coins[units], parts[units])


def beyond_kept(
    codes: Int64[np.ndarray, " n"], members: Bool[np.ndarray, " n"], *, keep: int, rng: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """Which labelled members lie beyond a random choice of `keep` of each class: all of a smaller class are kept."""
    beyond = members & (codes >= 0)
    for code in np.unique(codes[beyond]):
        beyond[rng.permutation(np.flatnonzero(beyond & (codes == code)))[:keep]] = False
    return beyond
