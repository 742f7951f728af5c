"""What a person sees of the clusters: prototypes with some of their members, how well a release covers each, and their number.

All pictures show real records or what is derived from them: they are for inside. Knows nothing of how clusters or
coverage came about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.ticker import MaxNLocator

from mintmark.cluster.clustering import Assignment, Clustering
from mintmark.cluster.number import Stability
from mintmark.cluster.scores import contingency, matching
from mintmark.data.images import to_bytes
from mintmark.fidelity.regions import Judgement
from mintmark.files import whole_file
from mintmark.intervals import Interval

MEMBERS = 8  # of each cluster, among the prototypes
TITLES = ("K-means", "DTI", "training records, as they are", "carried into the prototype's frame", "released records")
WIDTHS = (1, 1, MEMBERS, MEMBERS, MEMBERS)  # tiles under each title
SHOWN = 40  # clusters a picture shows at most: beyond that nobody looks
GAP = 0.15  # between tiles, in tiles
WHITE = 255
COLOURS = {"covered": "#2e7d32", "unsure": "#f9a825", "missed": "#c62828", "empty": "#9e9e9e"}
WORDS = {
    "covered": "covered",
    "unsure": "too few records to say",
    "missed": "missed",
    "empty": "no real record",
}

Images = Float[torch.Tensor, "n channels height width"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Row:
    """One cluster among the prototypes.

    Attributes:
        name: What to call it.
        groups: Images in [-1, 1] side by side, a group under each of the columns' titles; a group may be short.
    """

    name: str
    groups: tuple[Float[torch.Tensor, "_ channels height width"], ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bar:
    """One cluster's coverage.

    Attributes:
        name: What to call it.
        prototype: In [-1, 1].
        coverage: With its interval; None where the cluster holds no real record.
        floor: What fresh real records reach; None where unknown.
        matched: What as many released records reach; None where unknown.
        status: "covered", "unsure", "missed" or "empty".
    """

    name: str
    prototype: Float[torch.Tensor, "channels height width"]
    coverage: Interval | None
    floor: float | None
    matched: float | None
    status: str


def some_members(found: Assignment, cluster: int, *, num: int) -> Int64[torch.Tensor, " members"]:
    """Rows of at most `num` members of a cluster, from the nearest to the farthest in even steps of rank."""
    rows = torch.nonzero(found.clusters == cluster)[:, 0]
    ranked = rows[found.distances[rows].argsort(stable=True)]
    steps = torch.linspace(0, len(ranked) - 1, min(num, len(ranked))).round().long()
    return ranked[steps.to(ranked.device)]


def prototype_rows(
    rows: Sequence[Mapping[str, Any]],
    clusters: Clustering,
    plain: Clustering,
    *,
    images: Images,
    released: Float[torch.Tensor, "m channels height width"],
    found: Assignment,
    placed: Assignment,
) -> list[Row]:
    """Each cluster with some of its members, beside the K-means cluster that shares most records with it.

    Args:
        rows: From `mintmark.cluster.measurements.table`.
        clusters: Up to transformations.
        plain: K-means, with as many clusters.
        images: The training records.
        released: The released records.
        found: The training records' clusters.
        placed: The released records' clusters.
    """
    overlap = contingency(
        found.clusters.cpu().numpy(),
        plain.assign(images).clusters.cpu().numpy(),
        num_clusters=len(rows),
        num_classes=len(rows),
    )
    beside, lines = matching(overlap), []
    for cluster, row in enumerate(rows):
        members, copies = (some_members(one, cluster, num=MEMBERS) for one in (found, placed))
        groups = (
            plain.prototypes[beside[cluster]][None],
            clusters.prototypes[cluster][None],
            images[members],
            clusters.align(images[members], found.clusters[members]),
            released[copies],
        )
        lines.append(Row(name=f"{_name(row)}\n{row['records']} records", groups=groups))
    return lines


def coverage_bars(
    rows: Sequence[Mapping[str, Any]],
    judgement: Judgement,
    prototypes: Float[torch.Tensor, "clusters channels height width"],
) -> list[Bar]:
    """Each cluster's coverage, with `rows` from `mintmark.cluster.measurements.table`."""
    return [
        Bar(
            name=f"{_name(row)}: {region.real_records} real, {region.synthetic_records} released",
            prototype=prototype,
            coverage=region.coverage,
            floor=region.floor,
            matched=region.matched,
            status=region.status,
        )
        for row, region, prototype in zip(rows, judgement.regions, prototypes, strict=True)
    ]


def draw_prototypes(
    path: Path, rows: Sequence[Row], *, titles: Sequence[str] = TITLES, widths: Sequence[int] = WIDTHS
) -> None:
    """Write one line of images a cluster as a PNG.

    Args:
        path: The file.
        rows: The clusters; at most `SHOWN` are drawn.
        titles: One a group of images.
        widths: How many tiles each group has room for.
    """
    shown = list(rows[:SHOWN])
    height, width = shown[0].groups[0].shape[2:]
    gap = max(1, round(GAP * width))
    lefts = np.cumsum([0, *(count * (width + gap) + 2 * gap for count in widths)])
    canvas = np.full((len(shown) * (height + gap), int(lefts[-1]), 3), WHITE, np.uint8)
    for place, row in enumerate(shown):
        for left, images in zip(lefts[:-1].tolist(), row.groups, strict=True):
            for column, tile in enumerate(_coloured(images)):
                corner = left + column * (width + gap)
                canvas[place * (height + gap) :][:height, corner : corner + width] = tile
    inches = canvas.shape[1] / (width + gap) * 0.45
    figure = Figure(figsize=(inches + 2.2, len(shown) * 0.45 * (height + gap) / (width + gap) + 0.8), dpi=110)
    axes = figure.add_subplot()
    axes.imshow(canvas, interpolation="nearest")
    axes.set_yticks([place * (height + gap) + height / 2 for place in range(len(shown))], [row.name for row in shown])
    for left, title in zip(lefts[:-1].tolist(), titles, strict=True):
        axes.text(left, -gap, title, va="bottom", fontsize=8)
    _bare(axes)
    _write(figure, path)


def draw_coverage(path: Path, bars: Sequence[Bar], *, covered_from: float) -> None:
    """Write one bar a cluster, with its interval, as a PNG; at most the `SHOWN` least covered.

    Args:
        path: The file.
        bars: The clusters.
        covered_from: Where the line between covered and missed lies.
    """
    covered = [-1.0 if bar.coverage is None else bar.coverage.value for bar in bars]
    shown = [bars[place] for place in sorted(np.argsort(covered, stable=True)[:SHOWN].tolist())]
    figure = Figure(figsize=(9, 0.5 * len(shown) + 2.0), dpi=110)
    axes = figure.add_subplot()
    for place, bar in enumerate(shown):
        _draw_bar(axes, place, bar)
    axes.axvline(covered_from, color="black", linestyle=":", linewidth=1)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_yticks(range(len(shown)), [f"{bar.name}\n{WORDS[bar.status]}" for bar in shown], fontsize=7)
    axes.tick_params(axis="y", length=0, pad=26)
    axes.set_xlabel("share of the cluster's real records with a released record close by (line: 95% interval)")
    axes.set_title("Which kinds of real records does the release reach?")
    axes.plot([], [], "D", color="black", markerfacecolor="white", label="fresh real records would reach")
    axes.plot([], [], "o", color="black", label="as many released records reach")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.9 / figure.get_figheight()), ncols=2, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _write(figure, path)


def draw_number(path: Path, curve: Sequence[Stability], *, taken: int) -> None:
    """Write how stable every number of clusters is, beside clouds without clusters, as a PNG.

    Args:
        path: The file.
        curve: The numbers that were tried, in order; none where the number was given, which the picture then says.
        taken: The number that was taken.
    """
    figure = Figure(figsize=(7, 4), dpi=110)
    axes = figure.add_subplot()
    axes.set_title(f"{taken} clusters, " + ("chosen as the most stable number" if curve else "as given"))
    axes.axvline(taken, color="black", linestyle=":", linewidth=1)
    if curve:
        numbers = [one.num_clusters for one in curve]
        values, lows, highs = np.array([one.agreement for one in curve]).T
        clouds, highest = ([getattr(one, name) for one in curve] for name in ("of_clouds", "highest_of_clouds"))
        axes.fill_between(numbers, clouds, highest, color=COLOURS["empty"], alpha=0.4, label="clouds: mean to highest")
        axes.errorbar(numbers, values, [values - lows, highs - values], fmt="o-", capsize=3, label="records")
        axes.set_ylim(min(0.0, *clouds, *values), 1)
        axes.legend(frameon=False)
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "No other number was tried.", transform=axes.transAxes, ha="center")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("number of clusters")
    axes.set_ylabel("agreement of two thirds of the records on the last")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _write(figure, path)


def _draw_bar(axes: Axes, place: int, bar: Bar) -> None:
    if bar.coverage is not None:
        value, low, high = bar.coverage
        axes.barh(place, value, height=0.6, color=COLOURS[bar.status], alpha=0.75)
        axes.hlines(place, low, high, color="black", linewidth=1)
    if bar.floor is not None:
        axes.plot(bar.floor, place, "D", color="black", markerfacecolor="white", clip_on=False)
    if bar.matched is not None:
        axes.plot(bar.matched, place, "o", color="black", clip_on=False)
    tile = _coloured(bar.prototype[None])[0]
    thumbnail = OffsetImage(tile, zoom=20 / max(tile.shape), interpolation="nearest")
    axes.add_artist(
        AnnotationBbox(
            thumbnail, (0, place), xybox=(-14, 0), boxcoords="offset points", frameon=False, annotation_clip=False
        )
    )


def _coloured(images: Images) -> UInt8[np.ndarray, "n height width 3"]:
    """Three channels of bytes, whatever the number of channels was."""
    pixels = to_bytes(images)
    return pixels if pixels.shape[3] == 3 else np.repeat(pixels[:, :, :, :1], 3, axis=3)


def _name(row: Mapping[str, Any]) -> str:
    return f"cluster {row['cluster']}" + (f" ({row['class']})" if row["class"] is not None else "")


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write(figure: Figure, path: Path) -> None:
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", bbox_inches="tight", metadata={"Software": None})
