"""The picture shows a line a cluster, no more than a person looks at."""

from pathlib import Path

import numpy as np
from PIL import Image

from mintmark.cluster import curves
from mintmark.cluster.curves import Curve, draw_curves


def curve(*, channels=2, members=3):
    drawn = np.random.default_rng(0).normal(size=(members, 20, channels))
    return Curve(name="cluster", prototype=np.ones((20, channels)), members=drawn, aligned=drawn)


def height_of(path: Path) -> int:
    with Image.open(path) as picture:
        return picture.height


def test_a_line_a_cluster_up_to_the_most_that_are_shown(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(curves, "SHOWN", 3)
    heights = []
    for number in (1, 3, 5):
        draw_curves(tmp_path / f"{number}.png", [curve()] * number, units="units")
        heights.append(height_of(tmp_path / f"{number}.png"))
    assert heights[0] < heights[1] == heights[2]


def test_a_cluster_without_members_and_many_channels_are_drawn(tmp_path: Path):
    draw_curves(tmp_path / "x.png", [curve(channels=9, members=0)], units="units")
    pixels = np.array(Image.open(tmp_path / "x.png").convert("RGB")).reshape(-1, 3)
    found = {tuple(pixel) for pixel in pixels.tolist()}
    assert {tuple(bytes.fromhex(colour[1:])) for colour in curves.COLOURS} & found
