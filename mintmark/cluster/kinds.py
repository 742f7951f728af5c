"""Records of each kind as clusterings take them, and what is written of their clusters: pictures, profiles, aligned records.

All of it is made of real records: as private as those it comes from.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Float32, Float64, Int64

from mintmark.cluster.aligned import aligned, names_of
from mintmark.cluster.clustering import Assignment, Clustering
from mintmark.cluster.columns import Points, points_of
from mintmark.cluster.curves import Curve, draw_curves
from mintmark.cluster.model import TransformedClusters
from mintmark.cluster.pictures import Row, draw_prototypes, some_members
from mintmark.cluster.profiles import draw_profiles, profiles
from mintmark.cluster.shifted_kmeans import ShiftedKMeans
from mintmark.data.images import ImageSet, read_images, to_unit, write_images
from mintmark.data.records import num_records, read_form
from mintmark.data.series import SeriesSet, read_series, write_series
from mintmark.errors import BadInput
from mintmark.files import whole_file

MEMBERS = 8  # of each cluster, in the picture
TITLES = ("mean", "records, as they are", "in the prototype's frame")


class Known(NamedTuple):
    """What is known of records of any kind: as in `mintmark.data.images.ImageSet`."""

    ids: Sequence[str]
    codes: Int64[np.ndarray, " n"]
    classes: tuple[str, ...]


class Scale(NamedTuple):
    """Means and standard deviations of series, over time; 1 in place of 0."""

    middle: Float64[np.ndarray, "n 1 channels"]
    deviation: Float64[np.ndarray, "n 1 channels"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Series:
    """Series.

    Attributes:
        known: Of each.
        points: Standardised values, a series an image of one row.
        series: As they are.
        alike: Whether each is standardised by its own mean and deviation, so that its form alone counts, or channel by
            channel over all.
        scale: What makes points of series.
    """

    known: Known
    points: Float[torch.Tensor, "n channels 1 time"]
    series: SeriesSet
    alike: bool
    scale: Scale

    def facts(self) -> dict[str, Any]:
        """Length, channels, and what the unit of a distance is."""
        time, channels = self.series.values.shape[1:]
        whose = "its own" if self.alike else "its channel's"
        return {"time": time, "channels": channels, "unit": f"{whose} standard deviation, squared, a value"}

    def shifts(self, best: Clustering, found: Assignment) -> Float64[np.ndarray, " n"]:
        """How many time steps later than its prototype each series runs; by warps, at its middle."""
        if isinstance(best, ShiftedKMeans):
            return best.moves(self.points, found.clusters)[:, 1].double().numpy()
        if isinstance(best, TransformedClusters):
            warps = best.offsets(self.points, found.clusters)[0]
            return warps[:, 0].double().numpy() * -self.points.shape[3] / 2  # read later is to run earlier
        return np.zeros(len(self.points))

    def write(self, folder: Path, best: Clustering, found: Assignment, *, names: Sequence[str]) -> None:
        """Write `prototypes.png` and `aligned.parquet`."""
        moved = best.align(self.points, found.clusters)
        prototypes, curves = self._drawn(best.prototypes, slice(0, 1)), []
        for cluster, name in enumerate(names):
            rows = some_members(found, cluster, num=MEMBERS).numpy()
            members, aligned_members = (self._drawn(one[rows], rows) for one in (self.points, moved))
            curves.append(Curve(name=name, prototype=prototypes[cluster], members=members, aligned=aligned_members))
        units = "each series' own standard deviations" if self.alike else "units of the data"
        draw_curves(folder / "prototypes.png", curves, units=units)
        carried = SeriesSet(
            ids=self.known.ids,
            codes=found.clusters.numpy(),
            values=self._restored(moved, slice(None)),
            classes=names_of(len(names)),
        )
        write_series(folder / "aligned.parquet", carried)

    def _drawn(self, points: torch.Tensor, rows: Any) -> np.ndarray:
        return points[:, :, 0].transpose(1, 2).numpy() if self.alike else self._restored(points, rows)

    def _restored(self, points: torch.Tensor, rows: Any) -> np.ndarray:
        """Standardised values of these records, in the units of the data."""
        values = points[:, :, 0].transpose(1, 2).numpy()
        return (values * self.scale.deviation[rows] + self.scale.middle[rows]).astype(np.float32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Table:
    """The rows of a table.

    Attributes:
        known: Of each.
        encoded: The columns as points.
    """

    known: Known
    encoded: Points

    @property
    def points(self) -> Float[torch.Tensor, "n 1 1 features"]:
        """A row an image of one row."""
        return self.encoded.points

    def facts(self) -> dict[str, Any]:
        """Which columns take part, and why others do not."""
        return {
            "numbers": [one.name for one in self.encoded.columns if one.categories is None],
            "categories": [one.name for one in self.encoded.columns if one.categories is not None],
            "left_out": self.encoded.left_out,
            "unit": "standard deviation, squared, a column of points",
        }

    def write(self, folder: Path, best: Clustering, found: Assignment, *, names: Sequence[str]) -> None:
        """Write `profiles.csv` and its picture, `prototypes.png`."""
        table = profiles(self.encoded.columns, found.clusters.numpy(), num_clusters=len(best.prototypes))
        with whole_file(folder / "profiles.csv") as partial:
            table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
        draw_profiles(folder / "prototypes.png", table, names=names)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Images:
    """Images.

    Attributes:
        known: Of each.
        points: Pixels from -1 to 1.
        images: As they are.
    """

    known: Known
    points: Float[torch.Tensor, "n channels height width"]
    images: ImageSet

    def facts(self) -> dict[str, Any]:
        """The unit of a distance."""
        return {"shape": list(self.images.shape), "unit": "pixel from -1 to 1, squared, a pixel"}

    def write(self, folder: Path, best: Clustering, found: Assignment, *, names: Sequence[str]) -> None:
        """Write `prototypes.png` and `aligned.parquet`."""
        lines = []
        for cluster, name in enumerate(names):
            rows = some_members(found, cluster, num=MEMBERS)
            members = self.points[rows]
            moved = best.align(members, found.clusters[rows])
            lines.append(Row(name=name, groups=(best.prototypes[cluster][None], members, moved)))
        draw_prototypes(folder / "prototypes.png", lines, titles=TITLES, widths=(1, MEMBERS, MEMBERS))
        write_images(folder / "aligned.parquet", aligned(self.images, best, found))


Records = Series | Table | Images


def read_records(path: Path, *, alike: bool, drop: Collection[str]) -> Records:
    """The records of a file.

    Args:
        path: A record file of any kind.
        alike: Of series, whether their form alone counts.
        drop: Of a table, the columns to leave out.

    Raises:
        BadInput: the file cannot be read, holds no record, or what is asked is not for its kind.
    """
    form = read_form(path)
    if alike and form.kind != "series":
        raise BadInput(f"{path}: expected series for --alike, got kind {form.kind!r}")
    if drop and form.kind != "table":
        raise BadInput(f"{path}: expected a table for --drop, got kind {form.kind!r}")
    if not num_records(path):
        raise BadInput(f"{path}: expected records, found none")
    match form.kind:
        case "series":
            series = read_series(path)
            scale = _scale(series.values, alike=alike)
            points = torch.from_numpy(((series.values - scale.middle) / scale.deviation).astype(np.float32))
            known = Known(series.ids, series.codes, series.classes)
            points = points.transpose(1, 2)[:, :, None].contiguous()
            return Series(known=known, points=points, series=series, alike=alike, scale=scale)
        case "image":
            images = read_images(path)
            known = Known(images.ids, images.codes, images.classes)
            return Images(known=known, points=to_unit(images.images), images=images)
        case "table":
            table = pq.read_table(path)
            encoded = points_of(table, form, drop=drop)
            known = Known(table.column("id").to_pylist(), form.codes(table.column("label")), form.classes)
            return Table(known=known, encoded=encoded)


def _scale(values: Float32[np.ndarray, "n time channels"], *, alike: bool) -> Scale:
    """Channel by channel, of each series by itself or of all."""
    axes = 1 if alike else (0, 1)
    middle = values.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = values.std(axis=axes, keepdims=True, dtype=np.float64)
    rounding = np.finfo(np.float32).eps * np.abs(middle)
    deviation = np.where(deviation > rounding, deviation, 1.0)
    return Scale(*(np.broadcast_to(one, (len(values), 1, values.shape[2])) for one in (middle, deviation)))
