"""The contest as one picture for a reader who knows no statistics: who does better than the best alternative?"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mintmark.intervals import CrossedMean
from mintmark.utility.arms import ARMS, Arm
from mintmark.utility.comparison import Verdict
from mintmark.utility.contest import Contest
from mintmark.utility.findings import Findings

TITLES: dict[Verdict, str] = {
    "helps": "The synthetic data help",
    "no evidence": "No evidence that the synthetic data help",
    "hurts": "The synthetic data hurt",
    "inconclusive": "Inconclusive: a control failed, so this comparison could not have told",
}
NAMES: dict[Arm, str] = {
    "real": "real data",
    "augmented": "real data, augmented",
    "real_synthetic": "real + synthetic data",
    "augmented_synthetic": "real + synthetic data, augmented",
    "synthetic": "synthetic data alone",
}
CONTROL_NAMES = {
    "shuffled": "synthetic data with wrong labels\n(must do worse)",
    "held_back": "more real data, posing as synthetic\n(must not do worse)",
}
GOOD, BAD, UNSURE = "#1b7837", "#b2182b", "#4d4d4d"


class _Row(NamedTuple):
    name: str
    found: CrossedMean
    chosen: bool


def draw(path: Path, findings: Findings, contest: Contest) -> None:
    """Save the picture as PNG.

    Args:
        path: Where.
        findings: What the test said.
        contest: What validation chose.
    """
    rival = NAMES[contest.best_rival]
    arms = [
        _Row(NAMES[arm], findings.gains[arm], chosen=arm == contest.synthetic_arm)
        for arm in ARMS
        if arm != contest.best_rival
    ]
    controls = [_Row(CONTROL_NAMES[one.name], one.found, chosen=False) for one in findings.controls]
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=[len(arms), len(controls)])
    figure.suptitle(TITLES[findings.verdict], fontsize=14, fontweight="bold")
    best = findings.accuracies[contest.best_rival].value
    upper.set_title(f"Accuracy against the best alternative, {rival} ({best:.1%} right)", fontsize=10)
    lower.set_title("Controls: could this comparison have told?", fontsize=10)
    _draw_rows(upper, arms, margin=findings.margin)
    _draw_rows(lower, controls, margin=findings.margin)
    lower.set_xlabel(
        "difference in accuracy, percentage points; the bar is where the truth lies, 19 times out of 20\n"
        f"grey band: up to {100 * findings.margin:g} points, too little to matter; bold: the arm the verdict is about",
        fontsize=8,
    )
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def _draw_rows(axes: Axes, rows: Sequence[_Row], *, margin: float) -> None:
    axes.axvspan(-100 * margin, 100 * margin, color="#dddddd", zorder=0)
    axes.axvline(0, color="black", linewidth=0.8, zorder=1)
    for place, row in enumerate(rows):
        value, low, high = (100 * end for end in row.found[:3])
        told = [f"{round(end, 1) + 0.0:+.1f}" for end in (value, low, high)]  # + 0.0 turns -0.0 into 0.0
        colour = GOOD if low > 100 * margin else BAD if high < -100 * margin else UNSURE
        axes.plot([low, high], [place, place], color=colour, linewidth=5 if row.chosen else 2.5, alpha=0.6)
        axes.plot([value], [place], "o", color=colour, markersize=8)
        label = f"{told[0]} ({told[1]} to {told[2]})"
        axes.annotate(label, (value, place), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=9)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.chosen else "normal")
    axes.set_ylim(len(rows) - 0.5, -0.7)
    axes.margins(x=0.12)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
