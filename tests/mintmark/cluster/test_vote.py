"""Votes by hand: the majority of the nearest, ties to the nearest, and the distance from the voted cluster."""

from dataclasses import replace

import pytest
import torch

from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.model import TransformedClusters
from mintmark.cluster.training import fit
from mintmark.cluster.vote import Voted, named_alike


def grey(*values):
    """Images of 5 x 5 pixels that are all alike."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 5, 5).contiguous()


@pytest.fixture
def clustering():
    """Two prototypes, black and white, that move nothing."""
    form = Form(shape=(5, 5, 1), num_clusters=2, width=2, num_features=3, hidden=2)
    network = DTI(form, prototypes=grey(0.0, 1.0)[None], rng=torch.Generator().manual_seed(0))
    return TransformedClusters(network=network, background=torch.zeros(1))


def voted(clustering, values, clusters, *, voters):
    return Voted(
        clustering=clustering,
        images=grey(*values),
        clusters=torch.tensor(clusters).view(-1, len(values)),
        voters=voters,
    )


def test_most_of_the_nearest_decide_and_an_image_has_one_vote_of_its_own(clustering):
    values = (0.0, 0.1, 0.2, 0.8, 0.9)
    one = voted(clustering, values, [0, 1, 0, 1, 1], voters=3)
    assert one.assign(grey(*values)).clusters.tolist() == [0, 0, 0, 1, 1]
    assert one.assign(grey(0.06, 0.85)).clusters.tolist() == [0, 1]


def test_of_equal_votes_the_nearest_decides(clustering):
    one = voted(clustering, (0.0, 0.3), [1, 0], voters=2)
    assert one.assign(grey(0.1, 0.2)).clusters.tolist() == [1, 0]


def test_every_start_of_the_committee_votes(clustering):
    values, clusters = (0.0, 0.1, 0.9), [[0, 0, 1], [1, 0, 1], [1, 0, 1]]
    assert voted(clustering, values, clusters, voters=1).assign(grey(*values)).clusters.tolist() == [1, 0, 1]
    assert voted(clustering, values, clusters, voters=2).assign(grey(*values)).clusters.tolist() == [0, 0, 1]


def test_starts_are_named_as_the_first_of_them():
    clusters = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    assert named_alike(clusters, [1, 0, 2], num_clusters=2).tolist() == [[0, 0, 1, 1]] * 2 + [[0, 1, 1, 1]]
    assert named_alike(clusters, [0, 2], num_clusters=2).tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]


def test_more_voters_than_images_are_all_images(clustering):
    one = voted(clustering, (0.0, 0.1, 0.9), [1, 0, 0], voters=50)
    assert one.assign(grey(0.0, 0.5)).clusters.tolist() == [0, 0]


def test_distance_is_that_from_the_voted_cluster(clustering):
    one = voted(clustering, (0.0, 0.1), [1, 1], voters=1)
    assert one.assign(grey(0.25)).distances.item() == pytest.approx(0.75**2, abs=1e-6)
    assert clustering.assign(grey(0.25)).distances.item() == pytest.approx(0.25**2, abs=1e-6)


def test_a_fit_with_voters_assigns_as_it_was_fitted_and_keeps_its_losses(shifted, recipe):
    images, _ = shifted
    short = replace(recipe, starts=3, steps=30)
    plain, with_votes = (
        fit(images, num_clusters=2, recipe=replace(short, committee=some, voters=num), seed=0)
        for some, num in ((1, 1), (2, 5))
    )
    assert isinstance(with_votes.best, Voted)
    assert torch.equal(plain.losses, with_votes.losses)
    assert not torch.equal(plain.clusters, with_votes.clusters)
    best = int(with_votes.losses.argmin())
    assert torch.equal(with_votes.best.assign(images).clusters, with_votes.clusters[best])
    assert with_votes.best.clusters.shape == (2, len(images))
    assert torch.equal(with_votes.best.clusters[0], plain.clusters[best])
    assert torch.equal(with_votes.best.prototypes, plain.best.prototypes)
