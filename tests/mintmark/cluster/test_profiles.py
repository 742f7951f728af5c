"""What is typical of a cluster, by hand, and the picture of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mintmark.cluster.columns import Column
from mintmark.cluster.profiles import draw_profiles, profiles

CLUSTERS = np.array([0, 0, 0, 2, 2, 2])
COLUMNS = (
    Column(name="age", categories=None, numbers=np.array([1.0, 3.0, np.nan, 7.0, 9.0, 10.0])),
    Column(name="city", categories=("x", "y"), numbers=np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])),
)


def test_typical_values_are_those_by_hand():
    age, city, *others = profiles(COLUMNS, CLUSTERS, num_clusters=3).to_dict("records")
    assert [(one["cluster"], one["column"]) for one in others] == [(2, "age"), (2, "city")]  # none is in cluster 1
    deviation = np.std([1, 3, 7, 9, 10])
    assert (age["typical"], age["whole"]) == ("2", 6.0)
    assert age["difference"] == pytest.approx(-4 / deviation)
    assert pd.isna(age["share"])
    assert (city["typical"], city["share"], city["whole"]) == ("x", pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert city["difference"] == pytest.approx(1 / 3)


def test_a_cluster_whose_numbers_are_all_missing_is_told_without_one():
    column = Column(name="age", categories=None, numbers=np.array([np.nan, 1.0, 2.0]))
    table = profiles((column,), np.array([0, 1, 1]), num_clusters=2)
    assert table["typical"].tolist() == ["", "1.5"]
    assert table["difference"].tolist() == [0, 0]


def test_the_picture_shows_red_above_and_blue_below(tmp_path: Path):
    table = profiles(COLUMNS, CLUSTERS, num_clusters=3)
    draw_profiles(tmp_path / "x.png", table, names=["zero", "one", "two"])
    pixels = np.array(Image.open(tmp_path / "x.png").convert("RGB")).astype(int)
    tint = pixels[:, :, 0] - pixels[:, :, 2]
    assert (tint > 60).sum() > 500
    assert (tint < -60).sum() > 500
