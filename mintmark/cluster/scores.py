"""How well clusters agree with labels that no clustering saw.

Both scores come from the table of counts by cluster and class. Knows nothing of images.
"""

import numpy as np
from jaxtyping import Float, Int64
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import normalized_mutual_info_score

from mintmark.intervals import RESAMPLES, Interval, mean, proportion

SHUFFLES = 20

Codes = Int64[np.ndarray, " n"]
Table = Int64[np.ndarray, "clusters classes"]


def contingency(clusters: Codes, codes: Codes, *, num_clusters: int, num_classes: int) -> Table:
    """How many records of each class each cluster holds."""
    table = np.zeros((num_clusters, num_classes), np.int64)
    np.add.at(table, (clusters, codes), 1)
    return table


def matching(table: Table) -> dict[int, int]:
    """Clusters to classes, one to one, so that most records agree (Kuhn 1955, as SciPy solves it).

    With more clusters than classes, some clusters are matched to none.
    """
    rows, columns = linear_sum_assignment(table, maximize=True)
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


def accuracy(table: Table) -> Interval:
    """Share of records whose cluster is matched to their class, with its exact interval given the matching.

    Raises:
        ValueError: the table counts no record.
    """
    agreeing = sum(int(table[cluster, code]) for cluster, code in matching(table).items())
    return proportion(agreeing, int(table.sum()))


def nmi(clusters: Codes, codes: Codes, *, rng: np.random.Generator, level: float = 0.95) -> Interval:
    """Normalised mutual information (arithmetic mean of the entropies), with a bootstrap interval over records.

    The interval is the basic one, which reflects the percentiles about the estimate: resampling repeats records, which
    raises mutual information, so the percentiles themselves lie too high (Davison and Hinkley 1997, section 5.2).
    """
    value = float(normalized_mutual_info_score(codes, clusters))
    cells, places = np.unique(np.stack([clusters, codes]), axis=1, return_counts=True)
    drawn = rng.multinomial(len(codes), places / len(codes), RESAMPLES)
    table = np.zeros((RESAMPLES, int(cells[0].max()) + 1, int(cells[1].max()) + 1))
    table[:, cells[0], cells[1]] = drawn / len(codes)
    low, high = 2 * value - np.quantile(_normalised_information(table), [0.5 + level / 2, 0.5 - level / 2])
    return Interval(value, float(np.clip(low, 0.0, value)), float(np.clip(high, value, 1.0)))


def chance_accuracy(
    clusters: Codes,
    codes: Codes,
    *,
    num_clusters: int,
    num_classes: int,
    rng: np.random.Generator,
) -> Interval:
    """The accuracy that the same clusters reach on shuffled labels: the mean over `SHUFFLES`, with its interval.

    Args:
        clusters: Of labelled records.
        codes: Their class codes.
        num_clusters: How many.
        num_classes: How many.
        rng: Draws the shuffles.
    """
    counted = {"num_clusters": num_clusters, "num_classes": num_classes}
    drawn = [accuracy(contingency(clusters, rng.permutation(codes), **counted)).value for _ in range(SHUFFLES)]
    return mean(np.array(drawn))


def _normalised_information(joint: Float[np.ndarray, "tables clusters classes"]) -> Float[np.ndarray, " tables"]:
    by_cluster, by_class = _entropy(joint.sum(axis=2)), _entropy(joint.sum(axis=1))
    mutual = by_cluster + by_class - _entropy(joint.reshape(len(joint), -1))
    return mutual / np.maximum((by_cluster + by_class) / 2, np.finfo(float).tiny)


def _entropy(shares: Float[np.ndarray, "tables cells"]) -> Float[np.ndarray, " tables"]:
    return -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
