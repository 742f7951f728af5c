"""Votes of partitions by hand: names do not matter, the majority does, and the central fit is the one most agree with."""

import pytest
import torch

from mintmark.cluster.consensus import agreements, consensus


def test_names_do_not_matter():
    fits = torch.tensor([[0, 0, 1, 1, 2], [2, 2, 0, 0, 1], [1, 1, 2, 2, 0]])
    found = consensus(fits, num_clusters=3)
    assert found.agreement.tolist() == [1.0, 1.0, 1.0]
    assert torch.equal(found.clusters, fits[found.central])


def test_each_record_goes_where_most_fits_put_it():
    truth = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    fits = truth.repeat(3, 1)
    for fit, slip in enumerate((0, 3, 6)):
        fits[fit, slip] = 1 - fits[fit, slip]
    fits[1] = 1 - fits[1]
    clusters = consensus(fits, num_clusters=2).clusters
    assert torch.equal(clusters, truth)


def test_agreement_is_the_mean_share_with_the_others():
    fits = torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]])
    assert agreements(fits, num_clusters=2).tolist() == pytest.approx([0.875, 0.875, 0.75])


def test_the_central_fit_gives_the_names():
    fits = torch.tensor([[0, 1, 0, 1], [1, 1, 0, 0], [1, 1, 0, 0]])
    found = consensus(fits, num_clusters=2)
    assert found.central == 1
    assert found.clusters.tolist() == [1, 1, 0, 0]


def test_of_equal_votes_the_lowest_number_wins():
    fits = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 1]])
    assert consensus(fits, num_clusters=2).clusters.tolist() == [1, 1, 0, 0]


def test_a_single_fit_is_its_own_consensus():
    found = consensus(torch.tensor([[2, 0, 1]]), num_clusters=3)
    assert (found.clusters.tolist(), found.agreement.tolist(), found.central) == ([2, 0, 1], [1.0], 0)
