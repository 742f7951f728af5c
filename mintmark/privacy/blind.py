"""The blind baseline: can members be told from non-members without any model to attack?

If they can, the split was no fair coin, and every attack that scores above chance may merely have noticed that.
Knows nothing of models.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy import stats
from scipy.spatial.distance import cdist

FOLDS = 5
RIDGE = 1.0


class Blind(NamedTuple):
    """What the blind baseline found.

    Attributes:
        auc: Mean over the folds of the AUC on records that the fold's classifier had not seen, less what cross-fitting
            itself does to it (the permutations' mean less one half); 0.5 where there is nothing to tell.
        low, high: The permutations' central share around it, at the wanted level.
        p_value: Share of permutations at least as far from their mean, either way.
    """

    auc: float
    low: float
    high: float
    p_value: float


def blind_baseline(
    records: Float[np.ndarray, "n features"],
    *,
    is_member: Bool[np.ndarray, " n"],
    strata: Int64[np.ndarray, " n"],
    permutations: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Blind:
    """Cross-fitted kernel ridge classification of membership from the record alone, tested by permutation.

    A Gaussian kernel as wide as the median distance between records. Predictions of a held-out fold are linear in the
    labels of the others, so that all permutations of the labels share five factorisations; the permutations carry the
    dependence between folds, and the pull below one half that cross-fitting has where there is nothing to learn.

    Args:
        records: What an attacker sees of each record, in comparable units.
        is_member: Which are members.
        strata: Within what the coins were tossed (the class): labels are permuted within a stratum. Where parts are
            balanced by class, a fold with more members of a class leaves fewer to learn from, and cross-fitting falls
            below one half by far; permutations across classes would call that a finding.
        permutations: How many; the smallest p-value is 1 / (permutations + 1).
        rng: Of the folds and the permutations.
        level: Of the interval.

    Raises:
        ValueError: fewer members or non-members than folds.
    """
    if min(is_member.sum(), (~is_member).sum()) < FOLDS:
        raise ValueError(f"is_member must hold {FOLDS} of each, got {is_member.sum()} and {(~is_member).sum()}")
    squared = cdist(records, records, "sqeuclidean")
    kernel = np.exp(-squared / max(float(np.median(squared)), 1e-12))
    labels = np.repeat(is_member[:, None], permutations + 1, axis=1)
    for stratum in np.unique(strata).tolist():
        rows = np.flatnonzero(strata == stratum)
        labels[rows, 1:] = rng.permuted(labels[rows, 1:], axis=0)
    folds = rng.permutation(np.arange(len(records)) % FOLDS)
    aucs = np.mean([_fold_aucs(kernel, labels, folds == fold) for fold in range(FOLDS)], axis=0)
    lean = aucs - aucs[1:].mean()
    p_value = (1 + int((np.abs(lean[1:]) >= abs(lean[0])).sum())) / (permutations + 1)
    low, high = np.quantile(lean[1:], [0.5 - level / 2, 0.5 + level / 2]).tolist()
    auc = min(1.0, max(0.0, 0.5 + float(lean[0])))
    return Blind(auc, max(0.0, auc + low), min(1.0, auc + high), p_value)


def _fold_aucs(
    kernel: Float[np.ndarray, "n n"], labels: Bool[np.ndarray, "n columns"], held_out: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " columns"]:
    """The AUC on one held-out fold of each column of labels; one half where the fold holds one sort only."""
    known = labels[~held_out].astype(float)
    # in PyTorch, whose threads a stage fixes; NumPy's would be the machine's
    ridged = torch.from_numpy(kernel[np.ix_(~held_out, ~held_out)] + RIDGE * np.eye(len(known)))
    weights = torch.cholesky_solve(torch.from_numpy(known - known.mean(axis=0)), torch.linalg.cholesky(ridged))
    answers = (torch.from_numpy(kernel[np.ix_(held_out, ~held_out)]) @ weights).numpy()
    members = labels[held_out]
    num_members, num_others = members.sum(axis=0), (~members).sum(axis=0)
    ranks = stats.rankdata(answers, axis=0)
    wins = (ranks * members).sum(axis=0) - num_members * (num_members + 1) / 2
    pairs = num_members * num_others
    return np.divide(wins, pairs, out=np.full(len(pairs), 0.5), where=pairs > 0)


def features(
    pixels: Float[np.ndarray, "n pixels"], codes: Int64[np.ndarray, " n"], *, num_classes: int
) -> Float[np.ndarray, "n features"]:
    """What an attacker sees of a record: its pixels in [0, 1], and its label as one unit vector (none: zeros)."""
    labels = np.zeros((len(codes), num_classes))
    known = codes >= 0
    labels[known, codes[known]] = 1.0
    return np.concatenate([pixels.astype(float), labels], axis=1)
