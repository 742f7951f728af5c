"""Confidence intervals and tests, thin over SciPy and statsmodels.

Every interval is two-sided at `level` unless its name says otherwise. Randomness is an argument.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

RESAMPLES = 2000
BLOCK_ELEMENTS = 1 << 22


class Interval(NamedTuple):
    """A point estimate and its two ends."""

    value: float
    low: float
    high: float


class CrossedMean(NamedTuple):
    """A mean over seeds and records, its two ends, its standard error, and the degrees of freedom of that error."""

    value: float
    low: float
    high: float
    error: float
    degrees: float


class CrossedParts(NamedTuple):
    """What an interval of a mean over seeds and records is built from.

    Attributes:
        centre: The mean, drawn in a little by the two pseudo-records.
        of_seeds, of_records: The two parts of its variance. More seeds shrink the first, more records the second.
        degrees: Of freedom, of both parts together.
    """

    centre: float
    of_seeds: float
    of_records: float
    degrees: float

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.sqrt(self.of_seeds + self.of_records))


def proportion(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """A rate with its exact interval (Clopper and Pearson 1934).

    Raises:
        ValueError: there are no trials, or successes lie outside 0..trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"successes must lie in 0..trials with trials at least 1, got {successes} of {trials}")
    ends = proportion_confint(successes, trials, alpha=1.0 - level, method="beta")
    low, high = np.asarray(ends, dtype=float).tolist()
    return Interval(successes / trials, low, high)


def mean(values: Float[np.ndarray, " n"], *, level: float = 0.95) -> Interval:
    """A mean with Student's interval.

    Raises:
        ValueError: fewer than two values, of which no spread can be known.
    """
    if len(values) < 2:
        raise ValueError(f"values must be at least two to have an interval, got {len(values)}")
    centre = float(values.mean())
    half = float(stats.t.ppf(0.5 + level / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(centre, centre - half, centre + half)


def auc(positives: Float[np.ndarray, " p"], negatives: Float[np.ndarray, " q"]) -> float:
    """P(positive > negative) + P(tie) / 2 (Mann and Whitney 1947), from 0 to 1."""
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    total = ranks[: len(positives)].sum() - len(positives) * (len(positives) + 1) / 2
    return float(total / (len(positives) * len(negatives)))


def auc_bootstrap(
    positives: Float[np.ndarray, " p"],
    negatives: Float[np.ndarray, " q"],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """An AUC with its percentile bootstrap interval over both groups of records.

    Where the groups separate completely every resample does too, and the bootstrap would claim certainty. The interval
    is then the exact one of min(p, q) disjoint pairs (Clopper and Pearson 1934), each of which came out the same way.
    """
    value = auc(positives, negatives)
    if value in {0.0, 1.0}:
        pairs = min(len(positives), len(negatives))
        return proportion(round(value * pairs), pairs, level=level)
    drawn = [
        resampled_aucs(positives, negatives, in_positives, in_negatives)
        for in_positives, in_negatives in resampled_counts(len(positives), len(negatives), rng, resamples)
    ]
    low, high = np.quantile(np.concatenate(drawn), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high))


def auc_difference_bootstrap(
    positives: Float[np.ndarray, "2 p"],
    negatives: Float[np.ndarray, "2 q"],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """The AUC of the first score minus that of the second on the same records, with a paired percentile bootstrap."""
    drawn = [
        resampled_aucs(positives[0], negatives[0], in_positives, in_negatives)
        - resampled_aucs(positives[1], negatives[1], in_positives, in_negatives)
        for in_positives, in_negatives in resampled_counts(positives.shape[1], negatives.shape[1], rng, resamples)
    ]
    low, high = np.quantile(np.concatenate(drawn), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(auc(positives[0], negatives[0]) - auc(positives[1], negatives[1]), float(low), float(high))


def resampled_counts(
    num_positives: int, num_negatives: int, rng: np.random.Generator, resamples: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of how often each record of both groups is drawn in each resample."""
    block = max(1, BLOCK_ELEMENTS // (num_positives + num_negatives))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        yield (
            rng.multinomial(num_positives, np.full(num_positives, 1 / num_positives), rows),
            rng.multinomial(num_negatives, np.full(num_negatives, 1 / num_negatives), rows),
        )


def resampled_aucs(
    positives: np.ndarray, negatives: np.ndarray, in_positives: np.ndarray, in_negatives: np.ndarray
) -> np.ndarray:
    """The AUC of each resample, from its counts: (resamples, p) and (resamples, q) -> (resamples,)."""
    order = np.argsort(negatives, kind="stable")
    none = np.zeros((len(in_negatives), 1), np.int64)
    passed = np.concatenate([none, np.cumsum(in_negatives[:, order], axis=1)], axis=1)  # negatives below, by rank
    lower, not_higher = (np.searchsorted(negatives[order], positives, side=side) for side in ("left", "right"))
    wins = (passed[:, lower] + passed[:, not_higher]) / 2
    return (in_positives * wins).sum(axis=1) / (len(positives) * len(negatives))


def crossed_mean(
    values: Float[np.ndarray, "seeds records"], *, lowest: float, highest: float, level: float = 0.95
) -> CrossedMean:
    """The mean of values measured on the same records by each of several trainings, with its interval.

    Seeds and records both count as drawn from a population: the interval covers another training on another test set.
    The variance is (MS_seeds + max(MS_records - MS_residual, 0)) / (S R), from the two-way table's mean squares, with
    Student's t; this is the analysis of several readers who judge the same cases (Hillis 2007). Satterthwaite's degrees
    of freedom count the records' part as well. A percentile bootstrap over a handful
    of seeds claims too much. Two pseudo-records, one at each bound, keep the interval from vanishing where all records
    agree (for paired proportions: Bonett and Price 2012); they enter the interval and not the value.

    Args:
        values: One row a seed, one column a record.
        lowest: The least value possible: 0 for accuracies, -1 for their differences.
        highest: The greatest value possible.
        level: Coverage of the interval.

    Raises:
        ValueError: fewer than two seeds or no record, or a value beyond the bounds.
    """
    parts = crossed_parts(values, lowest=lowest, highest=highest)
    half = float(stats.t.ppf(0.5 + level / 2, parts.degrees)) * parts.error
    low, high = max(lowest, parts.centre - half), min(highest, parts.centre + half)
    value = float(values.mean())
    return CrossedMean(value, min(low, value), max(high, value), parts.error, parts.degrees)


def crossed_parts(values: Float[np.ndarray, "seeds records"], *, lowest: float, highest: float) -> CrossedParts:
    """The parts behind `crossed_mean`, with the same arguments and errors."""
    num_seeds, num_records = values.shape
    if num_seeds < 2 or num_records < 1:
        raise ValueError(f"values must be of two seeds and one record at least, got {num_seeds} and {num_records}")
    if values.min() < lowest or values.max() > highest:
        raise ValueError(f"values must lie in {lowest}..{highest}, got {values.min()} to {values.max()}")
    bounds = np.tile([lowest, highest], (num_seeds, 1))
    padded = np.concatenate([values.astype(float), bounds], axis=1)
    centre, seed_means, record_means = padded.mean(), padded.mean(axis=1), padded.mean(axis=0)
    residuals = padded - seed_means[:, None] - record_means + centre
    freedom = np.array([num_seeds - 1, num_records + 1])
    of_seeds = (num_records + 2) * ((seed_means - centre) ** 2).sum() / freedom[0]
    of_records = num_seeds * ((record_means - centre) ** 2).sum() / freedom[1]
    of_residuals = (residuals**2).sum() / freedom.prod()
    parts = np.array([of_seeds, max(of_records - of_residuals, 0.0)])
    if (
        not parts.any()
    ):  # seeds agree by chance, and records differ less than residuals do: these are all there is to go by
        parts[0], freedom = of_residuals, np.array([freedom.prod(), 1])
    degrees = float(parts.sum() ** 2 / (parts**2 / freedom).sum())
    of_seeds, of_records = (parts / padded.size).tolist()
    return CrossedParts(float(centre), of_seeds, of_records, degrees)


def crossed_above(values: Float[np.ndarray, "seeds records"], *, lowest: float, highest: float, at: float) -> float:
    """The one-sided p-value of the claim that the mean over seeds and records lies above `at`.

    It is below (1 - level) / 2 just where the low end of `crossed_mean` lies above `at`. The p-value of the claim that it
    lies below is one minus this one.
    """
    parts = crossed_parts(values, lowest=lowest, highest=highest)
    return float(stats.t.sf((parts.centre - at) / parts.error, parts.degrees))


def smallest_detectable(mean: CrossedMean, *, margin: float, power: float = 0.8, level: float = 0.95) -> float:
    """The smallest true mean whose interval would lie wholly above `margin` with probability `power`.

    That is margin + (t(0.5 + level / 2) + t(power)) standard errors, at the mean's own degrees of freedom.
    """
    quantiles = [float(stats.t.ppf(one, mean.degrees)) for one in (0.5 + level / 2, power)]
    return margin + sum(quantiles) * mean.error


def holm(p_values: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """p-values corrected for their number (Holm 1979)."""
    return np.asarray(multipletests(p_values, method="holm")[1])
