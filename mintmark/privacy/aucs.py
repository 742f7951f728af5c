"""AUCs of many attacks and small groups, where one plain bootstrap is too little. Knows nothing of what is scored."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.special import expit, logit

from mintmark.intervals import RESAMPLES, Interval, auc, proportion, resampled_aucs, resampled_counts


class AucFamily(NamedTuple):
    """Several AUCs on the same records.

    Attributes:
        each: Every AUC with an interval of its own.
        together: The same with intervals that hold all at once.
    """

    each: list[Interval]
    together: list[Interval]


def auc_family(
    positives: Float[np.ndarray, "scores p"],
    negatives: Float[np.ndarray, "scores q"],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    shared_level: float = 0.95,
    resamples: int = RESAMPLES,
) -> AucFamily:
    """The AUCs of several scores of the same records, by one bootstrap of the records.

    Each alone has a percentile interval. Together they have value -+ c standard errors, with c the quantile of the
    largest deviation among them, in standard errors, over the resamples (the single-step max-T method; Westfall and Young
    1993, section 2.3): scores that agree with each other share their error, where Bonferroni would count it once for each.

    Args:
        positives: One row a score.
        negatives: Likewise.
        rng: Of the resamples.
        level: Of each alone.
        shared_level: Of all together.
        resamples: How many.
    """
    drawn = np.concatenate(
        [
            np.stack([resampled_aucs(*pair, *counts) for pair in zip(positives, negatives, strict=True)])
            for counts in resampled_counts(positives.shape[1], negatives.shape[1], rng, resamples)
        ],
        axis=1,
    )
    values = np.array([auc(*pair) for pair in zip(positives, negatives, strict=True)])
    errors = drawn.std(axis=1, ddof=1)
    moving = errors > 0
    deviations = np.abs(drawn[moving] - values[moving, None]) / errors[moving, None]
    reach = float(np.quantile(deviations.max(axis=0), shared_level)) if moving.any() else 0.0
    ends = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2], axis=1)
    each, together = [], []
    for value, error, low, high in zip(values.tolist(), errors.tolist(), *ends.tolist(), strict=True):
        if error > 0:
            each.append(Interval(value, low, high))
            together.append(Interval(value, max(0.0, value - reach * error), min(1.0, value + reach * error)))
        else:  # complete separation, or ties alone: see `auc_bootstrap`
            pairs = min(positives.shape[1], negatives.shape[1])
            each.append(proportion(round(value * pairs), pairs, level=level)._replace(value=value))
            alone = 1.0 - (1.0 - shared_level) / len(values)
            together.append(proportion(round(value * pairs), pairs, level=alone)._replace(value=value))
    return AucFamily(each, together)


def auc_delong(
    positives: Float[np.ndarray, " p"], negatives: Float[np.ndarray, " q"], *, level: float = 0.95
) -> Interval:
    """An AUC with the interval of its asymptotic variance (DeLong et al. 1988), on the scale of the log-odds.

    For small groups and levels near 1, where a bootstrap would need more resamples than can be had. Half a pair is added
    to both outcomes of the AUC, so that the interval stays open where the groups separate completely.

    Raises:
        ValueError: a group has fewer than two records, of which no spread can be known.
    """
    if min(len(positives), len(negatives)) < 2:
        raise ValueError(f"both groups must have two records at least, got {len(positives)} and {len(negatives)}")
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    value, pairs = float(wins.mean()), min(len(positives), len(negatives))
    variance = wins.mean(axis=1).var(ddof=1) / len(positives) + wins.mean(axis=0).var(ddof=1) / len(negatives)
    centre = (value * pairs + 0.5) / (pairs + 1.0)
    slope = centre * (1.0 - centre)
    # where the groups separate there is no spread to see; that of one lost pair in so many is the least there can be
    error = np.sqrt(max(variance, slope / (pairs + 1.0) ** 2)) / slope
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    low, high = expit(logit(centre) + np.array([-half, half])).tolist()
    return Interval(value, min(low, value), max(high, value))
