"""What a person sees of the detectors: their ROC curves, and a few images explained.

The explanations show real records: they are for inside, never for a release.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from mintmark.anomaly.detector import Explanation
from mintmark.anomaly.measurements import Rates
from mintmark.anomaly.scoring import Scores
from mintmark.data.images import to_bytes
from mintmark.files import whole_file

INCHES = 1.35
WORDS = {
    "anogan": "generator (AnoGAN)",
    "fanogan": "generator (f-AnoGAN)",
    "discriminator": "discriminator",
    "pca_residual": "plane (PCA)",
    "nearest": "nearest training record",
    "gradient_residual": "plane of gradients",
    "gradient_nearest": "nearest gradients",
    "isolation_forest": "isolation forest",
    "one_class_svm": "support vectors",
    "memory": "memory of patches",
    "combination": "combination",
    "guard": "guard (plane of the release)",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Explained:
    """One detector's account of the example images.

    Attributes:
        kind: The detector's name.
        p_values: One an image: how unusual it is among normals.
        explanation: What it expected and where the image differs.
    """

    kind: str
    p_values: Float[torch.Tensor, " n"]
    explanation: Explanation


def roc_table(all_scores: Sequence[Scores]) -> pd.DataFrame:
    """Each detector's ROC over all corruptions: `detector`, `false_alarm_rate`, `detection_rate`, both rising."""
    curves = []
    for scores in all_scores:
        found = torch.cat([scores.normals, scores.all_anomalies]).cpu().numpy()
        truth = np.arange(len(found)) >= len(scores.normals)
        false_alarm_rate, detection_rate, _ = roc_curve(truth, found)
        curves.append(
            pd.DataFrame(
                {"detector": scores.kind, "false_alarm_rate": false_alarm_rate, "detection_rate": detection_rate}
            )
        )
    return pd.concat(curves, ignore_index=True)


def draw_roc(path: Path, table: pd.DataFrame, *, aurocs: Mapping[str, float]) -> None:
    """Write the curves of `roc_table` as a PNG; the legend tells each detector's AUROC."""
    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="guessing (0.500)")
    for kind, curve in table.groupby("detector", sort=False):
        label = f"{WORDS.get(str(kind), str(kind))} ({aurocs[str(kind)]:.3f})"
        axes.plot(curve["false_alarm_rate"], curve["detection_rate"], label=label)
    axes.set_title("How many corrupted records each detector finds")
    axes.set_xlabel("share of untouched records that raise an alarm")
    axes.set_ylabel("share of corrupted records found")
    axes.legend(loc="lower right", fontsize=8, title="detector (area under curve)")
    _save(figure, path)


def draw_rejection(path: Path, table: pd.DataFrame, *, corrupted_share: float) -> None:
    """Write the curves of `reject.curves` as a PNG."""
    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    axes = figure.subplots()
    for rejecter, curve in table.groupby("rejecter", sort=False):
        label = WORDS.get(str(rejecter), str(rejecter).replace("_", " "))
        colour, line = ("grey", ":") if rejecter == "random" else (None, "-")
        axes.plot(curve["coverage"], curve["accuracy"], label=label, color=colour, linestyle=line)
    axes.set_title(
        f"How right the answers are, if the strangest go unanswered\n({corrupted_share:.0%} of the records are corrupted)"
    )
    axes.set_xlabel("share of the records that are answered")
    axes.set_ylabel("share of right answers among them")
    axes.set_xlim(0.0, 1.0)
    axes.legend(loc="lower left", fontsize=8, title="unanswered first: the highest scores of")
    _save(figure, path)


def draw_explanations(
    path: Path,
    images: Float[torch.Tensor, "n channels height width"],
    *,
    names: Sequence[str],
    accounts: Sequence[Explained],
    rates: Rates,
) -> None:
    """Write one row an image as a PNG: the image, then what each detector expected and where it sees a difference.

    Args:
        path: Where to write it.
        images: Pixels in [-1, 1].
        names: What was done to each image.
        accounts: One a detector, in the columns' order.
        rates: At which p-value an image is called a novelty or an anomaly.
    """
    columns = 1 + 2 * len(accounts)
    figure = Figure(figsize=(INCHES * columns + 1.0, INCHES * len(images) + 0.8), layout="constrained")
    grid = figure.subplots(len(images), columns, squeeze=False)
    figure.suptitle(
        "What each detector expected, and where the image differs (bright: far)\np: share of normal records that look as odd"
    )
    for row, name in enumerate(names):
        _show(grid[row, 0], images[row])
        grid[row, 0].set_ylabel(name.replace("_", "\n"), rotation=0, ha="right", va="center")
        for place, account in enumerate(accounts):
            expected, heat = grid[row, 1 + 2 * place], grid[row, 2 + 2 * place]
            _show(expected, account.explanation.reconstruction[row])
            heat.imshow(account.explanation.residual[row].cpu().numpy(), cmap="inferno", vmin=0.0, vmax=2.0)
            heat.set_xlabel(_caption(account.p_values[row].item(), rates), fontsize=7)
    grid[0, 0].set_title("image", fontsize=8)
    for place, account in enumerate(accounts):
        grid[0, 1 + 2 * place].set_title(f"{WORDS.get(account.kind, account.kind)}\nexpected", fontsize=8)
        grid[0, 2 + 2 * place].set_title("difference", fontsize=8)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    _save(figure, path)


def _caption(p_value: float, rates: Rates) -> str:
    found = "anomaly" if p_value <= rates.anomaly else "novelty" if p_value <= rates.novelty else "usual"
    return f"p = {p_value:.2g}: {found}"


def _show(axes: Axes, image: torch.Tensor) -> None:
    pixels = to_bytes(image[None])[0]
    axes.imshow(pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})
