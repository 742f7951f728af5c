"""Likelihood ratio attacks: what models that knew a record answer, against what models that did not.

Each takes the target's answer to every record, in a scale on which answers are nearly normal (`confidence_scores` of
a classifier, a discriminator's logit, a distance to a generator's samples), and the shadows' answers to the same
records. Knows nothing of models or files.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import digamma, logsumexp, polygamma
from scipy.stats import norm, t

from mintmark.errors import BadInput
from mintmark.privacy.shadows import Shadows

SMALLEST_VARIANCE = 1e-12  # where all shadows answer alike
LARGEST_PRIOR = 1e6  # degrees of freedom beyond which all records are taken to share one variance


class Side(NamedTuple):
    """What the shadows on one side of the coin answered to each record.

    Attributes:
        counts: Shadows on this side.
        means: Of their answers.
        variances: Of their answers, unbiased; 0 for a single shadow.
    """

    counts: Float[np.ndarray, " queries"]
    means: Float[np.ndarray, " queries"]
    variances: Float[np.ndarray, " queries"]

    def pooled_variance(self) -> float:
        """One variance for all records: deviations from each record's own mean, over their degrees of freedom."""
        free = self.counts - 1
        return max(float((free * self.variances).sum() / max(free.sum(), 1.0)), SMALLEST_VARIANCE)


def sides_of(shadows: Shadows) -> tuple[Side, Side] | None:
    """The shadows trained on each record, and those that were not; None where a record lacks either."""
    trained_on = shadows.trained_on
    if not len(trained_on) or not (trained_on.any(axis=0) & ~trained_on.all(axis=0)).all():
        return None
    return _side(shadows.answers, trained_on), _side(shadows.answers, ~trained_on)


def lira_scores(answers: Float[np.ndarray, " queries"], shadows: Shadows) -> Float[np.ndarray, " queries"] | None:
    """LiRA, online, fixed variance: whose answer is likelier from models that knew them is a member.

    Threat model: the attacker also trains models of the target's recipe on fresh halves of a pool that holds the
    records under attack (Carlini et al. 2022, equation 4). One variance for each side is shared by all records, which
    below some 64 shadows beats a variance for each (the same, section VI.C).

    Returns:
        The logarithm of the ratio of both likelihoods; None where a record has no shadow on one side.
    """
    sides = sides_of(shadows)
    if sides is None:
        return None
    knew, others = (norm.logpdf(answers, side.means, np.sqrt(side.pooled_variance())) for side in sides)
    return np.asarray(knew - others)


def shrunk_lira_scores(
    answers: Float[np.ndarray, " queries"], shadows: Shadows
) -> Float[np.ndarray, " queries"] | None:
    """LiRA, online, variances shrunk towards each other, for few shadows.

    Threat model: as for `lira_scores`. Each record keeps a variance of its own, drawn towards the others' as far as so
    few shadows cannot tell them apart: a scaled inverse chi-squared prior, fitted to all records (Smyth 2004, section
    6.2), and the predictive Student distribution in place of the normal one, which allows for the means' doubt too.

    Returns:
        The logarithm of the ratio of both likelihoods; None where a record has fewer than two shadows on one side.
    """
    sides = sides_of(shadows)
    if sides is None or min(side.counts.min() for side in sides) < 2:
        return None
    knew, others = (_predictive(answers, side) for side in sides)
    return knew - others


def offline_lira_scores(
    answers: Float[np.ndarray, " queries"], shadows: Shadows
) -> Float[np.ndarray, " queries"] | None:
    """LiRA, offline, fixed variance: whose answer models that did not know them would hardly give is a member.

    Threat model: the attacker trains shadows without the records under attack, so one set serves every record. The score
    is the negative density under those (Carlini et al. 2022, the offline attack in its two-sided form).

    Returns:
        The negative logarithm of the density; None where a record has no model that was not trained on it.
    """
    if not len(shadows.answers) or shadows.trained_on.all(axis=0).any():
        return None
    others = _side(shadows.answers, ~shadows.trained_on)
    return -np.asarray(norm.logpdf(answers, others.means, np.sqrt(others.pooled_variance())))


def rmia_scores(
    log_likelihoods: Float[np.ndarray, " queries"], shadows: Shadows
) -> Float[np.ndarray, " queries"] | None:
    """RMIA with a continuous score: who is likelier under the target than under reference models is a member.

    Threat model: as for `lira_scores`; a handful of reference models is enough (Zarifzadeh et al. 2024). The published
    score is the share of population records whose own ratio a record's ratio exceeds by a factor: for one target a
    rising step function of that ratio. Its ties, which can force a rate at low false positives to 0, are the steps; the
    ratio itself orders records alike and has none, so it needs no population.

    Args:
        log_likelihoods: Of the record, or of its label, under the target; any constant may be missing.
        shadows: The same under the reference models.

    Returns:
        log p(x) - log((mean over models that knew x + mean over those that did not) / 2); None where a record has no
        shadow on one side.
    """
    if sides_of(shadows) is None:
        return None
    knew, others = (_log_mean(shadows.answers, mask) for mask in (shadows.trained_on, ~shadows.trained_on))
    return log_likelihoods - (np.logaddexp(knew, others) - np.log(2.0))


def log_probabilities(log_odds: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """The logarithm of p from that of p / (1 - p), without rounding to 0 where p is almost 1."""
    return -np.logaddexp(0.0, -log_odds)


def shadow_attacks(
    answers: Mapping[str, Float[np.ndarray, " queries"]], shadows: Mapping[str, Shadows]
) -> dict[str, Float[np.ndarray, " queries"]]:
    """Calibration, LiRA and RMIA over shadow generators, for every log-likelihood that is asked of target and shadows.

    Threat model: the attacker also trains generators of the target's recipe on fresh halves of a pool that holds the
    records under attack. NAME_shadow: the answer less the mean answer of those that were not trained on the record
    (Chen et al. 2020, calibration by a reference model). NAME_lira and NAME_rmia: see `lira_scores`, `rmia_scores`.

    Raises:
        BadInput: the target is among its own shadows.
    """
    found = {}
    for name, asked in answers.items():
        known = shadows[name]
        refuse_own(asked, known)
        easy = known.untrained_mean()
        found |= {
            f"{name}_shadow": None if easy is None else asked - easy,
            f"{name}_lira": lira_scores(asked, known),
            f"{name}_rmia": rmia_scores(asked, known),
        }
    return {name: scores for name, scores in found.items() if scores is not None}


def refuse_own(answers: Float[np.ndarray, " queries"], shadows: Shadows) -> None:
    """A target that is its own shadow hides what it leaks.

    Raises:
        BadInput: a shadow answers just as the target does.
    """
    if len(answers) and (shadows.answers == answers).all(axis=1).any() and np.ptp(answers) > 0:
        raise BadInput("shadow models: expected none that answers just as the target does, found one: it is the target")


def _log_mean(logs: Float[np.ndarray, "models queries"], mask: Bool[np.ndarray, "models queries"]) -> np.ndarray:
    """The logarithm of the mean of exp over the marked models."""
    return logsumexp(np.where(mask, logs, -np.inf), axis=0) - np.log(mask.sum(axis=0))


def _side(answers: Float[np.ndarray, "models queries"], mask: Bool[np.ndarray, "models queries"]) -> Side:
    counts = mask.sum(axis=0).astype(float)
    means = np.where(mask, answers, 0.0).sum(axis=0) / np.maximum(counts, 1.0)
    squares = np.where(mask, np.square(answers - means), 0.0).sum(axis=0)
    return Side(counts, means, squares / np.maximum(counts - 1.0, 1.0))


def _predictive(answers: Float[np.ndarray, " queries"], side: Side) -> Float[np.ndarray, " queries"]:
    """The logarithm of the predictive density of one more answer from this side's models."""
    free = side.counts - 1.0
    prior_free, prior_variance = variance_prior(side)
    total = prior_free + free
    variances = (prior_free * prior_variance + free * side.variances) / total
    scales = np.sqrt(np.maximum(variances, SMALLEST_VARIANCE) * (1.0 + 1.0 / side.counts))
    return np.asarray(t.logpdf(answers, df=total, loc=side.means, scale=scales))


def variance_prior(side: Side) -> tuple[float, float]:
    """Degrees of freedom and scale of the prior that the records' variances are taken to come from.

    Matches mean and variance of the logarithms of the sample variances (Smyth 2004, section 6.2). Where those vary no
    more than their own sampling does, all records share one variance.
    """
    free = side.counts - 1.0
    logs = np.log(np.maximum(side.variances, SMALLEST_VARIANCE)) - digamma(free / 2.0) + np.log(free / 2.0)
    excess = float(logs.var(ddof=1) - polygamma(1, free / 2.0).mean()) if len(logs) > 1 else 0.0
    if excess <= polygamma(1, LARGEST_PRIOR / 2.0):
        return LARGEST_PRIOR, side.pooled_variance()
    prior_free = 2.0 * _inverse_trigamma(excess)
    return prior_free, float(np.exp(logs.mean() + digamma(prior_free / 2.0) - np.log(prior_free / 2.0)))


def _inverse_trigamma(value: float) -> float:
    """The x with trigamma(x) = value > 0, by Newton's method on 1 / trigamma, which is convex (Smyth 2004, appendix)."""
    x = 0.5 + 1.0 / value
    for _ in range(50):
        slope = float(polygamma(1, x))
        step = slope * (1.0 - slope / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
