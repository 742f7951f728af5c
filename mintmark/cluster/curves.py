"""Prototypes of series as curves, over some of their members, as they are and in the prototype's frame.

The members are real records: the picture is for inside. Knows nothing of how clusters came about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mintmark.cluster.pictures import SHOWN
from mintmark.files import whole_file

COLOURS = ("#1565c0", "#c62828", "#2e7d32", "#6a1b9a")  # of the first channels; nobody tells more apart


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Curve:
    """One cluster.

    Attributes:
        name: What to call it.
        prototype: In the units to be drawn in.
        members: Some of its series, as they are.
        aligned: The same, in the prototype's frame.
    """

    name: str
    prototype: Float[np.ndarray, "time channels"]
    members: Float[np.ndarray, "members time channels"]
    aligned: Float[np.ndarray, "members time channels"]


def draw_curves(path: Path, curves: Sequence[Curve], *, units: str) -> None:
    """Write a line of two panels a cluster as a PNG.

    Args:
        path: The file.
        curves: The clusters; at most `SHOWN` are drawn, and of each the first four channels.
        units: What to write beside the values.
    """
    shown = curves[:SHOWN]
    figure = Figure(figsize=(10, 1.6 * len(shown) + 0.8), dpi=110, layout="constrained")
    panels = figure.subplots(len(shown), 2, sharex=True, sharey="row", squeeze=False)
    for axes, curve in zip(panels, shown, strict=True):
        _draw(axes[0], curve.members, curve.prototype)
        _draw(axes[1], curve.aligned, curve.prototype)
        axes[0].set_ylabel(curve.name, fontsize=8)
    panels[0, 0].set_title(f"members as they are, and the prototype ({units})", fontsize=9)
    panels[0, 1].set_title("members in the prototype's frame", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("time step", fontsize=8)
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", metadata={"Software": None})


def _draw(axes: Axes, members: np.ndarray, prototype: np.ndarray) -> None:
    for channel, colour in enumerate(COLOURS[: prototype.shape[1]]):
        axes.plot(members[:, :, channel].T, color=colour, alpha=0.3, linewidth=0.7)
        axes.plot(prototype[:, channel], color=colour, linewidth=2.2)
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
