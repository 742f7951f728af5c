"""Does a release repeat the training records? Two published tests, from one nearest-neighbour pass.

Both look at each record's distance to its nearest training record. What fresh real records score is the only honest
measure of both: neither is 1, 0.5 or 0 of itself.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy import stats

from mintmark.intervals import Interval, auc
from mintmark.neighbours import Neighbours, nearest


class Nearness(NamedTuple):
    """How near records lie to the training records.

    Attributes:
        distances: To the nearest training record.
        surroundings: Of that training record, to the nearest other one.
    """

    distances: Float[np.ndarray, " n"]
    surroundings: Float[np.ndarray, " n"]

    def take(self, rows: np.ndarray) -> "Nearness":
        """Those of some of the records."""
        return Nearness(self.distances[rows], self.surroundings[rows])


def nearness(records: Float[torch.Tensor, "n features"], train: Float[torch.Tensor, "train features"]) -> Nearness:
    """The one pass that `copying_score` and `authentic` share.

    Raises:
        ValueError: there are fewer than two training records.
    """
    found: Neighbours = nearest(records, train)
    surroundings = nearest(train, train, same_set=True).distances[:, 0]
    return Nearness(
        found.distances[:, 0].double().cpu().numpy(), surroundings[found.indices[:, 0]].double().cpu().numpy()
    )


def authentic(records: Nearness) -> Bool[np.ndarray, " n"]:
    """Whether each record lies farther from its nearest training record than that one from any other.

    Alaa et al. 2022, section 3.3. A copy is not authentic, even of a record that occurs twice in training.
    """
    return records.distances > records.surroundings


class Cell(NamedTuple):
    """The distances to training of the held-out and of the judged records that fell into one cell."""

    held_out: Float[np.ndarray, " p"]
    judged: Float[np.ndarray, " q"]


def cells(
    held_out: Float[np.ndarray, " p"],
    held_out_codes: Int64[np.ndarray, " p"],
    judged: Float[np.ndarray, " q"],
    judged_codes: Int64[np.ndarray, " q"],
    *,
    fewest: int,
) -> list[Cell]:
    """Distances by cell, without the cells in which either group has fewer than `fewest` records.

    Of too few records a rank test says nothing; Meehan et al. leave out cells that are thin in judged records likewise.
    """
    found = [
        Cell(held_out[held_out_codes == code], judged[judged_codes == code])
        for code in np.union1d(held_out_codes, judged_codes).tolist()
    ]
    return [cell for cell in found if min(len(cell.held_out), len(cell.judged)) >= fewest]


def copying_score(compared: list[Cell], *, level: float = 0.95) -> Interval:
    """C_T of the data-copying test (Meehan et al. 2020, section 4.2), with its interval.

    The mean over cells, weighted by held-out records, of the standardised Mann-Whitney statistic of the hypothesis that
    judged and held-out records lie equally near to training. Far below 0: judged records lie nearer, and copy; far
    above: they lie farther, and fit badly. It grows with the number of records. The interval is normal, over records of
    both groups given the training records, with the variance of DeLong et al. (1988) in each cell; two pseudo-records a
    group, one at each extreme, keep it from vanishing where the groups separate, and enter the interval alone.

    Raises:
        ValueError: no cell is left.
    """
    if not compared:
        raise ValueError("the cells must be at least one with records of both groups, got none")
    weights = np.array([len(cell.held_out) for cell in compared], float)
    weights /= weights.sum()
    scores, errors = np.array([_score(cell) for cell in compared]).T
    value, error = float(weights @ scores), float(np.sqrt(weights**2 @ errors**2))
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    return Interval(value, value - half, value + half)


def _score(cell: Cell) -> tuple[float, float]:
    """(U - E U) / sd U, where U counts the pairs in which the judged record lies farther, and its standard error.

    Ties count half, and take their part from sd U; where all records tie there is nothing to tell them by.
    """
    p, q = len(cell.held_out), len(cell.judged)
    counts = np.unique(np.concatenate(cell), return_counts=True)[1].astype(float)
    ties = (counts**3 - counts).sum() / ((p + q) * (p + q - 1))
    spread = float(np.sqrt((p + q + 1 - ties) / (12 * p * q)))  # of U / (p q)
    if spread == 0:
        return 0.0, 0.0
    return (auc(cell.judged, cell.held_out) - 0.5) / spread, _error(cell) / spread


def _error(cell: Cell) -> float:
    """The standard error of the share of pairs, from each record's own share (DeLong et al. 1988)."""
    held_out, judged = (np.concatenate([group, [-np.inf, np.inf]]) for group in cell)
    variances = [
        _placed(group, among).var(ddof=1) / len(group) for group, among in ((held_out, judged), (judged, held_out))
    ]
    return float(np.sqrt(sum(variances)))


def _placed(group: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The share of the others that lie below each record; ties count half."""
    ordered = np.sort(among)
    return (np.searchsorted(ordered, group, "left") + np.searchsorted(ordered, group, "right")) / (2 * len(among))
