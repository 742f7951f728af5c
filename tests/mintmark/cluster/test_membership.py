"""Sizes and agreement against counts by hand."""

import numpy as np
import pytest

from mintmark.cluster.membership import agreement, sizes
from mintmark.intervals import proportion

CLUSTERS = np.array([0, 0, 0, 1, 1, 3])
CODES = np.array([1, 1, 0, 0, -1, -1])


def test_sizes_are_counts_with_exact_intervals():
    table = sizes(CLUSTERS, np.arange(6.0), CODES, num_clusters=4, classes=("cat", "dog"))
    assert table["records"].tolist() == [3, 2, 0, 1]
    for row in table.to_dict("records"):
        assert (row["share"], row["share_low"], row["share_high"]) == tuple(proportion(row["records"], 6))
    assert table["distance"].tolist()[:2] == [1.0, 3.5]
    assert table["class"].tolist()[:2] == ["dog", "cat"]
    assert table["class_share"].tolist()[:2] == [pytest.approx(2 / 3), 1.0]
    assert table["distance"].isna().tolist() == [False, False, True, False]
    assert table["class"].isna().tolist()[2:] == [True, True]


def test_agreement_is_that_of_labelled_records_beside_chance():
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1, 2, -1], 50)
    share, information, chance = agreement((true + 1) % 3, true, num_clusters=3, num_classes=3, rng=rng)
    assert (share.value, share.n, share.control) == (1.0, 150, chance.name)
    assert information.value == pytest.approx(1)
    assert chance.value == pytest.approx(0.4, abs=0.05)  # the best of six matchings


def test_without_labels_nothing_is_claimed():
    rng = np.random.default_rng(0)
    found = agreement(CLUSTERS, np.full(6, -1), num_clusters=4, num_classes=1, rng=rng)
    assert [(one.value, one.low, one.n) for one in found] == [(None, None, 0)] * 3
    table = sizes(CLUSTERS, np.arange(6.0), np.full(6, -1), num_clusters=4, classes=())
    assert table["class"].isna().all()
