"""Records become points and come back: units, shifts and form, with what is not for a kind named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mintmark.cluster import kmeans, shifted_kmeans, training
from mintmark.cluster.kinds import Series, read_records
from mintmark.cluster.methods import warps
from mintmark.cluster.model import TransformedClusters, background_of
from mintmark.data.images import write_images
from mintmark.data.series import SeriesSet, read_series, write_series
from mintmark.errors import BadInput

RECIPE = kmeans.Recipe(starts=3, steps=20)
FORM = (0.0, 1.0, 3.0, -2.0, 0.5)


def spikes(path: Path, *, places, num_time=40) -> Path:
    """One form at known places, 100 above zero, in two channels of which the second is ten times as wide."""
    values = np.full((len(places), num_time, 2), 100.0)
    for row, place in enumerate(places):
        values[row, place : place + len(FORM)] += np.outer(FORM, (1.0, 10.0))
    ids = [f"r{row}" for row in range(len(places))]
    series = SeriesSet(ids=ids, codes=np.full(len(ids), -1), values=values.astype(np.float32), classes=())
    write_series(path, series)
    return path


def read(path: Path, *, alike: bool) -> Series:
    records = read_records(path, alike=alike, drop=())
    assert isinstance(records, Series)
    return records


def test_each_channel_is_standardised_over_all_series(tmp_path: Path):
    records = read(spikes(tmp_path / "x.parquet", places=[3, 9, 20]), alike=False)
    assert records.points.shape == (3, 2, 1, 40)
    assert torch.allclose(records.points.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5)
    assert torch.allclose(records.points.std(dim=(0, 2, 3), correction=0), torch.ones(2), atol=1e-4)


def test_alike_leaves_the_form_alone(tmp_path: Path):
    path = spikes(tmp_path / "x.parquet", places=[3, 9])
    series = read_series(path)
    louder = (series.values * [[[1.0]], [[7.0]]]).astype(np.float32)
    flat = SeriesSet(ids=["flat"], codes=np.array([-1]), values=np.full((1, 40, 2), 0.1, np.float32), classes=())
    write_series(path, replace(series, values=louder))
    first, second = read(path, alike=True).points
    assert torch.allclose(first[..., 2:10], second[..., 8:16], atol=1e-4)
    write_series(path, flat)
    assert not read(path, alike=True).points.any()  # no rounding error is blown up


@pytest.mark.parametrize("alike", [False, True])
def test_shifts_are_those_that_were_made_and_aligned_series_lie_together(tmp_path: Path, *, alike: bool):
    places = np.array([12, 15, 18, 20, 24])
    records = read(spikes(tmp_path / "x.parquet", places=places), alike=alike)
    best = shifted_kmeans.fit(records.points, num_clusters=1, farthest=12, recipe=RECIPE, seed=0).best
    found = best.assign(records.points)
    shifts = records.shifts(best, found)
    assert (np.diff(shifts) == np.diff(places)).all()
    records.write(tmp_path, best, found, names=["all"])
    aligned = read_series(tmp_path / "aligned.parquet")
    assert aligned.ids == records.known.ids
    assert aligned.classes == ("0",)
    assert np.ptp(aligned.values, axis=0).max() < 1e-3  # all alike, and in their own units
    assert aligned.values.max() == pytest.approx(130, abs=1e-3)


def test_shifts_by_warps_are_in_time_steps(tmp_path: Path):
    places = np.array([12, 15, 18, 20, 24])
    records = read(spikes(tmp_path / "x.parquet", places=places), alike=False)
    network = training.begin(
        records.points, num_clusters=1, recipe=warps(records.points), rng=torch.Generator().manual_seed(0)
    )
    alone = network.start(0)
    with torch.no_grad():
        alone.prototypes[0, 0] = records.points[2] - background_of(records.points)[:, None, None]
        alone.last_layer("time_warp")[1][..., 0] = 3 * 2 / 40  # the prototype is read three steps later
    best = TransformedClusters(network=alone, background=background_of(records.points))
    found = best.assign(records.points)
    assert np.allclose(records.shifts(best, found), -3, atol=1e-4)
    assert found.distances.argmin() == 1  # the series that lies three steps earlier


def test_what_is_not_for_a_kind_is_named(tmp_path: Path, toy_images, write_records):
    write_images(tmp_path / "i.parquet", toy_images(num=6))
    path = spikes(tmp_path / "s.parquet", places=[3])
    with pytest.raises(BadInput, match=r"i.parquet: expected series for --alike, got kind 'image'"):
        read_records(tmp_path / "i.parquet", alike=True, drop=())
    with pytest.raises(BadInput, match=r"s.parquet: expected a table for --drop, got kind 'series'"):
        read_records(path, alike=False, drop=("x",))
    write_images(tmp_path / "i.parquet", toy_images(num=6).take(np.arange(0)))
    with pytest.raises(BadInput, match=r"i.parquet: expected records, found none"):
        read_records(tmp_path / "i.parquet", alike=False, drop=())
