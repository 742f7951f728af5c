"""Charts of published aggregates, as PNG bytes: accuracies of the arms, and what the attacks achieved.

Draws what `published.publish` returned and nothing else, so no chart can show more than the list allows.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mintmark.release import words
from mintmark.release.published import THREATS

ACCENT, QUIET, REFERENCE = "#1f6f5c", "#5b6664", "#a3421f"
_ATTACK = re.compile(rf"({'|'.join(THREATS)})_(.+)_auc")


def accuracy_chart(evidence: Mapping[str, Any]) -> bytes | None:
    """Each arm's accuracy on real records with its interval; None where nothing was measured."""
    rows = [row for row in evidence["measurements"] if row["stage"] == "evaluate" and row["name"].endswith("_accuracy")]
    labels = [words.title(row["name"]) for row in rows]
    return _forest(
        labels, rows, title="How well does a classifier do, by what taught it?", axis="accuracy (1 = no mistakes)"
    )


def attack_chart(evidence: Mapping[str, Any]) -> bytes | None:
    """Each attack's AUC with its interval, beside the line of pure guessing; None where nothing was measured."""
    rows = [row for row in evidence["measurements"] if row["stage"] == "audit" and _ATTACK.fullmatch(row["name"])]
    names = [_ATTACK.fullmatch(row["name"]) for row in rows]
    labels = [f"{match[1]}: {match[2].replace('_', ' ')}" for match in names if match]
    return _forest(
        labels,
        rows,
        title="Can an attacker tell whose records were used?",
        axis="AUC (0.5 = guessing, 1 = certain)",
        reference=0.5,
    )


def _forest(
    labels: Sequence[str], rows: Sequence[Mapping[str, Any]], *, title: str, axis: str, reference: float | None = None
) -> bytes | None:
    """Values with their intervals, one a line, the first on top."""
    shown = [(label, row) for label, row in zip(labels, rows, strict=True) if row["value"] is not None]
    if not shown:
        return None
    figure = Figure(figsize=(8.0, 1.2 + 0.34 * len(shown)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if reference is not None:
        axes.axvline(reference, color=REFERENCE, linestyle="--", linewidth=1.2)
    for place, (_, row) in enumerate(shown):
        if row["low"] is not None and row["high"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=QUIET, linewidth=2.2, solid_capstyle="round")
        axes.plot(row["value"], place, "o", color=ACCENT, markersize=6)
    axes.set_yticks(range(len(shown)), [label for label, _ in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize=11)
    axes.set_xlabel(f"{axis}; lines are 95% intervals")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
