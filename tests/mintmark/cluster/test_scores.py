"""Accuracy and mutual information by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score

from mintmark.cluster.scores import _normalised_information, accuracy, contingency, matching, nmi


def array(*values):
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("table", "pairs", "expected"),
    [
        ([[5, 0], [0, 5]], {0: 0, 1: 1}, 1.0),
        ([[0, 5], [5, 0]], {0: 1, 1: 0}, 1.0),
        ([[4, 3], [3, 0]], {0: 1, 1: 0}, 0.6),  # not greedy: 4 + 0 is less than 3 + 3
        ([[3, 0], [0, 3], [2, 2]], {0: 0, 1: 1}, 0.6),  # the third cluster is matched to none
    ],
)
def test_accuracy_is_that_of_the_best_matching(table, pairs, expected):
    assert matching(np.array(table)) == pairs
    found = accuracy(np.array(table))
    assert found.value == pytest.approx(expected)
    assert found.low < expected <= found.high


def test_contingency_counts_records():
    table = contingency(array(0, 0, 1, 2), array(1, 1, 0, 1), num_clusters=4, num_classes=2)
    assert table.tolist() == [[0, 2], [1, 0], [0, 1], [0, 0]]


@given(st.permutations(range(4)), st.integers(0, 1000))
def test_names_of_clusters_do_not_matter(order, seed):
    rng = np.random.default_rng(seed)
    clusters, codes = rng.integers(0, 4, 50), rng.integers(0, 3, 50)
    renamed = np.array(order)[clusters]
    tables = [contingency(one, codes, num_clusters=4, num_classes=3) for one in (clusters, renamed)]
    assert accuracy(tables[0]) == accuracy(tables[1])


@given(st.integers(0, 1000))
def test_information_of_tables_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    clusters, codes = rng.integers(0, 4, 60), rng.integers(0, 3, 60)
    table = contingency(clusters, codes, num_clusters=4, num_classes=3) / 60
    assert _normalised_information(table[None])[0] == pytest.approx(
        normalized_mutual_info_score(codes, clusters), abs=1e-9
    )


def test_mutual_information_is_one_for_equal_partitions_and_its_interval_has_no_width():
    codes = np.repeat(np.arange(3), 20)
    assert nmi(codes, codes, rng=np.random.default_rng(0)) == pytest.approx((1.0, 1.0, 1.0))


def test_interval_of_mutual_information_covers_the_truth_about_as_often_as_it_says():
    # Two classes, three clusters, 300 records: the truth comes from the joint probabilities themselves.
    joint = np.array([[0.3, 0.05], [0.15, 0.15], [0.05, 0.3]])
    truth = _normalised_information(joint[None])[0]
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        cells = rng.choice(6, size=300, p=joint.ravel())
        found = nmi(cells // 2, cells % 2, rng=rng)
        held += found.low <= truth <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_one_class_shares_no_information_and_raises_no_warning():
    found = nmi(array(0, 1, 0, 1), array(0, 0, 0, 0), rng=np.random.default_rng(0))
    assert found.value == pytest.approx(0.0, abs=1e-9)
