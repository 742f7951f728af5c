"""The ROC of every attack on the target, as a coarse table and a log-log picture. No record can be read from either."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from mintmark.privacy.rates import Scores

POINTS = 40
DIGITS = 3


def false_positive_grid(num_non_members: int) -> Float[np.ndarray, " points"]:
    """False positive rates from what n resolves, 1 / n, to 1, evenly on a logarithmic scale."""
    return np.unique(np.round(np.geomspace(1 / num_non_members, 1.0, POINTS), DIGITS + 1))


def true_positive_rates(scores: Scores, rates: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    """The share of members above the threshold that at most the given share of the non-members exceeds."""
    falling = np.sort(scores.non_members)[::-1]
    allowed = np.floor(rates * len(falling) + 1e-9).astype(int)
    thresholds = np.append(falling, -np.inf)[np.minimum(allowed, len(falling))]
    return (scores.members[None, :] > thresholds[:, None]).mean(axis=1)


def roc_table(targets: dict[str, dict[str, Scores]]) -> str:
    """All curves as CSV: threat, attack, side, false_positive_rate, true_positive_rate."""
    lines = ["threat,attack,side,false_positive_rate,true_positive_rate"]
    for threat, attacks in targets.items():
        for attack, scores in attacks.items():
            rates = false_positive_grid(len(scores.non_members))
            for side, asked in (("high", scores), ("low", scores.reversed())):
                hits = true_positive_rates(asked, rates)
                lines += [
                    f"{threat},{attack},{side},{rate:.{DIGITS + 1}f},{hit:.{DIGITS}f}"
                    for rate, hit in zip(rates.tolist(), hits.tolist(), strict=True)
                ]
    return "\n".join(lines) + "\n"


def roc_picture(targets: dict[str, dict[str, Scores]]) -> Figure:
    """One log-log panel a threat model; what the number of non-members does not resolve is shaded."""
    figure = Figure(figsize=(4.2 * len(targets), 4.6), layout="constrained")
    axes = figure.subplots(1, len(targets), squeeze=False)[0]
    for axis, (threat, attacks) in zip(axes, targets.items(), strict=True):
        smallest = min(len(scores.non_members) for scores in attacks.values())
        diagonal = np.geomspace(1e-4, 1.0, 50)
        axis.plot(diagonal, diagonal, color="grey", linestyle=":", label="chance")
        for attack, scores in attacks.items():
            rates = false_positive_grid(len(scores.non_members))
            axis.plot(rates, true_positive_rates(scores, rates), label=attack.replace("_", " "))
        axis.axvspan(1e-4, 1 / smallest, color="0.92")
        axis.set(xscale="log", yscale="log", xlim=(3e-4, 1.0), ylim=(3e-4, 1.0))
        axis.set(
            title=f"Attacker holds: {threat}", xlabel="share of non-members accused", ylabel="share of members found"
        )
        axis.legend(loc="upper left", fontsize="small")
    figure.suptitle("Who was in the training data? Shaded: rates too small for this number of records")
    return figure
