"""What the report says of fits and judgements made by hand."""

import numpy as np
import pytest
import torch

from mintmark.cluster.clustering import Fit
from mintmark.cluster.kmeans import KMeans
from mintmark.cluster.measurements import agreement, reach, resemblance, table
from mintmark.fidelity.coverage import Fidelity
from mintmark.fidelity.regions import Judgement, Region, Status
from mintmark.intervals import proportion


def fit(*starts, losses):
    best = KMeans(prototypes=torch.zeros(2, 1, 1, 1))
    return Fit(best, torch.tensor(losses), torch.tensor(starts), (), {})


def region(covered: int, total: int, *, status: Status = "covered", without: Status = "missed") -> Region:
    return Region(
        real_records=total,
        synthetic_records=50,
        coverage=proportion(covered, total) if total else None,
        status=status,
        status_without=without,
        floor=0.9,
        matched=0.8,
        close=proportion(40, 50),
        close_real=proportion(1, 50),
        detectable=0.3,
    )


def measured(*parts):
    return {one.name: one for part in parts for one in part}


@pytest.fixture
def fits():
    """The second start is the best by loss, and the worse by labels: labels must not choose."""
    starts = [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]
    return {"kmeans": fit(*starts, losses=[2.0, 1.0]), "dti": fit(*starts, losses=[1.0, 2.0])}


def test_agreement_is_that_of_the_start_of_lowest_loss(fits):
    codes = np.array([0, 0, 0, 1, 1, 1])
    found = measured(agreement(fits, codes, num_classes=2, rng=np.random.default_rng(0)))
    assert found["dti_accuracy"].value == 1.0
    assert found["kmeans_accuracy"].value == pytest.approx(5 / 6)
    assert found["kmeans_mean_accuracy"].value == pytest.approx(11 / 12)
    assert found["dti_nmi"].value == pytest.approx(1.0)
    assert found["dti_accuracy"].control == "chance_accuracy"
    assert found["chance_accuracy"].value < 0.9


def test_unlabelled_records_do_not_count_against_the_clusters(fits):
    codes = np.array([0, 0, -1, 1, 1, -1])
    found = measured(agreement(fits, codes, num_classes=2, rng=np.random.default_rng(0)))
    assert found["kmeans_accuracy"].value == 1.0
    assert found["kmeans_accuracy"].n == 4


def test_without_labels_there_is_no_value(fits):
    found = measured(agreement(fits, np.full(6, -1), num_classes=0, rng=np.random.default_rng(0)))
    assert all(one.value is None and one.n in {0, 2} for one in found.values())


def test_worst_cluster_is_reported_with_an_interval_that_allows_for_the_choice():
    regions = (region(50, 50), region(30, 60, status="unsure", without="unsure"), region(0, 0, status="empty"))
    found = measured(reach(Judgement(regions=regions, floor=0.9, matched=0.8)))
    least = found["coverage_min"]
    assert least.value == 0.5
    assert least.n == 60
    expected = proportion(30, 60, level=0.975)  # two clusters with records
    assert (least.low, least.high) == pytest.approx((expected.low, expected.high))
    assert (found["clusters_covered"].value, found["clusters_covered"].n) == (1.0, 2)
    assert found["clusters_missed"].value == 0.0
    assert found["clusters_copied"].value == 2.0
    assert found["copies_detectable"].value == 0.3
    assert found["missed_when_removed"].value == 0.5


def test_resemblance_averages_what_is_true_of_each_record():
    flags = torch.tensor([True, True, True, False])
    fidelity = Fidelity(flags, ~flags, flags, torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64))
    found = measured(resemblance(fidelity, Judgement(regions=(), floor=0.9, matched=0.7)))
    values = {name: one.value for name, one in found.items()}
    assert values == {
        "coverage": 0.75,
        "coverage_floor": 0.9,
        "coverage_matched": 0.7,
        "recall": 0.25,
        "precision": 0.75,
        "density": 1.5,
    }


def test_table_names_each_cluster_by_its_class_and_gives_shares():
    judgement = Judgement(regions=(region(30, 30), region(5, 10)), floor=0.9, matched=0.8)
    clusters, codes = np.array([0] * 30 + [1] * 10), np.array([1] * 30 + [0] * 5 + [-1] * 5)
    rows = table(judgement, clusters, codes, ("cat", "dog"))
    assert [row["class"] for row in rows] == ["dog", "cat"]
    assert [row["share"] for row in rows] == [0.75, 0.25]
    assert [row["released_share"] for row in rows] == [0.5, 0.5]


def test_table_of_unlabelled_records_names_no_class():
    judgement = Judgement(regions=(region(2, 2),), floor=0.9, matched=0.8)
    (row,) = table(judgement, np.array([0, 0]), np.array([-1, -1]), ())
    assert row["class"] is None
