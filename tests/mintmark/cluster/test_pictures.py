"""Pictures are written, are the same bytes twice, and stay readable with many clusters."""

import pytest
import torch
from matplotlib.image import imread

from mintmark.cluster.clustering import Assignment
from mintmark.cluster.kmeans import KMeans
from mintmark.cluster.number import Stability
from mintmark.cluster.pictures import (
    MEMBERS,
    SHOWN,
    Bar,
    Row,
    draw_coverage,
    draw_number,
    draw_prototypes,
    prototype_rows,
    some_members,
)
from mintmark.intervals import Interval


def rows(num, *, channels=1):
    tiles = torch.rand(3, channels, 6, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return [Row(name=f"cluster {place}", groups=(tiles[:1], tiles, tiles[:0])) for place in range(num)]


def bars(num):
    prototype = torch.zeros(1, 6, 5)
    full = Interval(0.9, 0.8, 0.95)
    return [
        Bar(name="cluster", prototype=prototype, coverage=full, floor=0.9, matched=0.8, status="covered")
        for _ in range(num - 1)
    ] + [Bar(name="empty", prototype=prototype, coverage=None, floor=None, matched=None, status="empty")]


@pytest.mark.parametrize("channels", [1, 3])
def test_prototypes_are_drawn_as_the_same_bytes_twice(tmp_path, channels):
    for name in ("a.png", "b.png"):
        draw_prototypes(tmp_path / name, rows(3, channels=channels), titles=("one", "all", "none"), widths=(1, 3, 2))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert imread(tmp_path / "a.png").std() > 0.05


def test_coverage_is_drawn_as_the_same_bytes_twice(tmp_path):
    for name in ("a.png", "b.png"):
        draw_coverage(tmp_path / name, bars(4), covered_from=0.5)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert imread(tmp_path / "a.png").std() > 0.05


def curve(agreement):
    return [Stability(k, Interval(agreement, agreement - 0.1, agreement + 0.1), 0.2, 0.3) for k in (2, 3, 4)]


def test_the_number_is_drawn_as_the_same_bytes_twice_and_shows_its_curve(tmp_path):
    for name, points in (("a", curve(0.5)), ("b", curve(0.5)), ("other", curve(0.8)), ("given", ())):
        draw_number(tmp_path / name, points, taken=3)
    drawn = {name: (tmp_path / name).read_bytes() for name in ("a", "b", "other", "given")}
    assert drawn["a"] == drawn["b"]
    assert len(set(drawn.values())) == 3


def test_no_more_clusters_are_drawn_than_anybody_looks_at(tmp_path):
    for name, num in (("most.png", SHOWN), ("more.png", SHOWN + 20)):
        draw_prototypes(tmp_path / name, rows(num), titles=("one", "all", "none"), widths=(1, 3, 2))
    assert imread(tmp_path / "more.png").shape == imread(tmp_path / "most.png").shape


def test_each_cluster_stands_beside_the_plain_one_with_most_of_its_records():
    dark, light = torch.full((1, 1, 6, 5), -1.0), torch.full((1, 1, 6, 5), 1.0)
    images = torch.cat([dark.repeat(10, 1, 1, 1), light.repeat(3, 1, 1, 1)])
    clusters, plain = (KMeans(prototypes=torch.cat(some)) for some in ((dark, light), (light, dark)))
    found, placed = clusters.assign(images), Assignment(torch.tensor([1]), torch.tensor([0.0]))
    table = [{"cluster": 0, "class": "night", "records": 10}, {"cluster": 1, "class": None, "records": 3}]
    one, two = prototype_rows(table, clusters, plain, images=images, released=light, found=found, placed=placed)
    assert (one.name, two.name) == ("cluster 0 (night)\n10 records", "cluster 1\n3 records")
    assert [len(group) for group in one.groups] == [1, 1, MEMBERS, MEMBERS, 0]
    assert [len(group) for group in two.groups] == [1, 1, 3, 3, 1]
    assert all((group == -1).all() for group in one.groups)
    assert all((group == 1).all() for group in two.groups)


def test_the_least_covered_are_drawn_where_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr("mintmark.cluster.pictures.SHOWN", 2)
    prototype = torch.zeros(1, 6, 5)
    some = [
        Bar(
            name=f"{value}",
            prototype=prototype,
            coverage=Interval(value, value - 0.1, value + 0.05),
            floor=0.9,
            matched=0.8,
            status="covered",
        )
        for value in (0.5, 0.9, 0.3)
    ]
    draw_coverage(tmp_path / "all.png", some, covered_from=0.5)
    draw_coverage(tmp_path / "least.png", [some[0], some[2]], covered_from=0.5)
    assert (tmp_path / "all.png").read_bytes() == (tmp_path / "least.png").read_bytes()


def test_the_number_is_drawn_beside_the_highest_cloud(tmp_path):
    low, high = ([Stability(k, Interval(0.8, 0.7, 0.9), 0.2, highest) for k in (2, 3)] for highest in (0.3, 0.6))
    draw_number(tmp_path / "low.png", low, taken=3)
    draw_number(tmp_path / "high.png", high, taken=3)
    assert (tmp_path / "low.png").read_bytes() != (tmp_path / "high.png").read_bytes()


def test_members_are_shown_from_the_nearest_to_the_farthest():
    found = Assignment(torch.tensor([0, 1, 1, 1, 1, 1, 0]), torch.tensor([0.0, 5.0, 1.0, 3.0, 2.0, 4.0, 9.0]))
    assert some_members(found, 1, num=3).tolist() == [2, 3, 1]
    assert some_members(found, 0, num=3).tolist() == [0, 6]
    assert some_members(found, 2, num=3).tolist() == []
