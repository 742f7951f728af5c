"""The contest as one picture for a reader who knows no statistics.

Who does better than the best alternative, and how many real records are the synthetic ones worth?
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mintmark.intervals import CrossedMean
from mintmark.utility.arms import Arm
from mintmark.utility.contest import Contest
from mintmark.utility.findings import PLACED, Findings
from mintmark.utility.told import ANSWERS

NAMES: dict[Arm, str] = {
    "real": "real data",
    "augmented": "real data, augmented",
    "real_synthetic": "real + synthetic data",
    "augmented_synthetic": "real + synthetic data, augmented",
    "synthetic": "synthetic data alone",
}
STUDENT_NAMES = {
    "supervised_student": "soft labels of real data",
    "self_trained": "unlabelled data, labelled by itself",
    "spread_student": "unlabelled data, labelled by neighbours",
    "network_student": "unlabelled data, labelled by a network",
    "gan_student": "unlabelled data, labelled by a GAN",
}
CONTROL_NAMES = {
    "shuffled": "synthetic data with wrong labels\n(must do worse)",
    "held_back": "more real data, posing as synthetic\n(must not do worse)",
}
COLOURS: dict[Arm, str] = {"synthetic": "#762a83", "real_synthetic": "#2166ac"}
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
    rival = _name(contest.best_rival)
    arms = [
        _Row(_name(arm), found, chosen=arm == contest.synthetic_arm)
        for arm, found in findings.gains.items()
        if arm != contest.best_rival
    ]
    controls = [_Row(CONTROL_NAMES[one.name], one.found, chosen=False) for one in findings.controls]
    figure = Figure(figsize=(14, 3.0 + 0.42 * (len(arms) + len(controls))), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[3, 2], height_ratios=[len(arms), len(controls)])
    upper, lower = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    figure.suptitle(ANSWERS[findings.verdict], fontsize=14, fontweight="bold")
    _draw_curve(figure.add_subplot(grid[:, 1]), findings)
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


def _name(arm: str) -> str:
    return {**NAMES, **STUDENT_NAMES}.get(arm, arm.replace("_", " "))


def _draw_curve(axes: Axes, findings: Findings) -> None:
    """The learning curve of real records, and the synthetic ones as the heights that they reach."""
    sizes = sorted(findings.curve)
    found = [findings.curve[size] for size in sizes]
    heights = [100 * one.value for one in found]
    errors = [[100 * (one.value - one.low) for one in found], [100 * (one.high - one.value) for one in found]]
    axes.errorbar(sizes, heights, yerr=errors, color="black", marker="o", capsize=3, label="real data alone")
    highest = max(PLACED, key=lambda arm: findings.accuracies[arm].value)
    for arm in PLACED:
        height, worth = 100 * findings.accuracies[arm].value, findings.worths[arm]
        axes.axhline(height, color=COLOURS[arm], linestyle="--", linewidth=1.5, label=NAMES[arm])
        low, high = worth.low or sizes[0], worth.high or sizes[-1]
        if worth.reading != "flat":
            axes.plot([low, high], [height, height], color=COLOURS[arm], linewidth=6, alpha=0.35)
        if worth.records is not None:
            axes.plot([worth.records], [height], "D", color=COLOURS[arm], markersize=8)
            place, told = (worth.records, height), f"as good as {worth.records:.0f} real records"
            offset = (-8, 6 if arm == highest else -14)  # one above, one below: they may stand close
            axes.annotate(told, place, xytext=offset, textcoords="offset points", ha="right", fontsize=8)
    axes.axvline(findings.num_train, color="#999999", linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size}" for size in sizes], fontsize=8)
    axes.minorticks_off()
    axes.set_title("How many real records is that worth?", fontsize=10)
    axes.set_xlabel(
        f"number of real records ({findings.num_train} were trained on)\n"
        "diamond: where the synthetic data stand; thick: where they may stand",
        fontsize=8,
    )
    axes.set_ylabel("right answers, percent", fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.legend(loc="lower right", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


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
