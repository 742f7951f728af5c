"""Jumps out of the local minimum that small steps never leave."""

from dataclasses import replace

import pytest
import torch

from mintmark.cluster.challenge import Challenges, propose, two_means
from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.training import learn

SIDE, EACH = 6, 40


@pytest.fixture(scope="module")
def images():
    """Noisy copies of three patterns, in order: a left, a right, and a lower bar; background 0."""
    rng = torch.Generator().manual_seed(0)
    patterns = torch.zeros(3, 1, SIDE, SIDE)
    patterns[0, 0, 1:5, 1] = 1.0
    patterns[1, 0, 1:5, 4] = 1.0
    patterns[2, 0, 4, 1:5] = 1.0
    return patterns.repeat_interleave(EACH, dim=0) + 0.1 * torch.randn(3 * EACH, 1, SIDE, SIDE, generator=rng)


def stuck(images, *, starts):
    """The first pattern has two clusters, and the others share one."""
    first = [images[:EACH:2].mean(dim=0), images[1:EACH:2].mean(dim=0)]
    prototypes = torch.stack([*first, images[EACH:].mean(dim=0)])
    form = Form(shape=(SIDE, SIDE, 1), num_clusters=3, width=2, num_features=4, hidden=3)
    return DTI(form, prototypes=prototypes.expand(starts, -1, -1, -1, -1), rng=torch.Generator().manual_seed(1))


def losses(network, images):
    return network.distances(images, ()).min(dim=1).values.mean(dim=1)


def as_they_are(images):
    return lambda _, rows: images[rows]


def test_two_means_part_what_is_apart_and_say_what_that_saves(images):
    share, means = two_means(images[EACH:].flatten(1))
    assert share > 0.8
    near = torch.cdist(means, torch.stack([part.mean(dim=0).flatten() for part in images.split(EACH)[1:]]))
    assert sorted(near.argmin(dim=1).tolist()) == [0, 1]
    assert near.min(dim=1).values.max() < 1e-5


def test_two_means_of_equal_points_save_nothing():
    share, means = two_means(torch.ones(5, 3))
    assert share == 0.0
    assert torch.equal(means, torch.ones(2, 3))


def test_one_of_two_like_clusters_is_dropped_and_the_shared_one_split(images):
    distances = stuck(images, starts=1).distances(images, ())[0]
    move = propose(distances, as_they_are(images), tried=set())
    assert move is not None
    assert move.dropped in {0, 1}
    assert move.split == 2
    assert move.gain > 0
    again = propose(distances, as_they_are(images), tried={(move.dropped, move.split)})
    assert again is not None
    assert (again.dropped, again.split) != (move.dropped, move.split)
    assert again.gain <= move.gain
    every = {(dropped, split) for dropped in range(3) for split in range(3)}
    assert propose(distances, as_they_are(images), tried=every) is None


def test_where_nothing_is_stuck_a_jump_is_guessed_to_lose(images):
    network = stuck(images, starts=1)
    network.prototypes.data[0] = torch.stack([part.mean(dim=0) for part in images.split(EACH)])
    move = propose(network.distances(images, ())[0], as_they_are(images), tried=set())
    assert move is not None
    assert move.gain < 0


def test_a_challenger_takes_the_place_of_the_worst_and_wins_by_its_loss(images):
    network = stuck(images, starts=4)
    network.prototypes.data[1] = 0.0  # the worst start
    optimiser = torch.optim.Adam(network.parameters())
    challenges = Challenges(network, optimiser, images)
    before = losses(network, images)
    assert challenges.round(stage=0) == 0
    assert 1 in {challenger for _, challenger in challenges.pairs}
    after = losses(network, images)
    for start, challenger in challenges.pairs:
        assert torch.equal(after[start], before[start])
        assert after[challenger] < 0.5 * after[start]
    pairs = list(challenges.pairs)
    assert challenges.round(stage=0) == 2
    assert challenges.pairs == [(challenger, start) for start, challenger in pairs]
    assert losses(network, images)[pairs[0][1]] == after[pairs[0][1]]


def test_a_challenger_has_the_moments_of_its_start_as_its_own(images):
    network, rng = stuck(images, starts=2), torch.Generator().manual_seed(3)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.0)
    for parameter in network.parameters():
        parameter.grad = torch.rand(parameter.shape, generator=rng) + 0.1
    optimiser.step()
    challenges = Challenges(network, optimiser, images)
    challenges.round(stage=0)
    ((start, challenger),) = challenges.pairs
    moved = (network.prototypes[challenger] != network.prototypes[start]).flatten(1).any(dim=1)
    assert moved.sum() == 2
    assert optimiser.state[network.prototypes]["exp_avg"][challenger, moved].abs().sum() == 0
    for parameter in network.parameters():
        for name in ("exp_avg", "exp_avg_sq"):
            moments = optimiser.state[parameter][name].chunk(2)
            if parameter is network.prototypes:
                assert torch.equal(moments[challenger][0, ~moved], moments[start][0, ~moved])
            elif all(parameter is not one for one in network.per_cluster()):
                assert torch.equal(moments[challenger], moments[start])
            else:
                assert torch.equal(moments[challenger][0, ~moved], moments[start][0, ~moved])
            before = moments[start].clone()
            moments[challenger].add_(1.0)
            assert torch.equal(moments[start], before)


def test_one_start_has_no_challenger(images):
    network = stuck(images, starts=1)
    before = [parameter.clone() for parameter in network.parameters()]
    challenges = Challenges(network, torch.optim.Adam(network.parameters()), images)
    assert challenges.round(stage=1) == 0
    assert challenges.pairs == []
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


@pytest.mark.parametrize(("every", "leaves"), [(0, False), (20, True)])
def test_training_leaves_the_local_minimum_only_by_challenges(images, recipe, every, leaves):
    wanted = replace(
        recipe, starts=2, steps=120, identity_steps=10, priced_starts=0.0, priced=0.2, challenge_every=every
    )
    rng = torch.Generator().manual_seed(2)
    *_, last = learn(stuck(images, starts=2), images, recipe=wanted, rng=rng)
    distances = last.network.distances(images, last.network.offsets(images, stage=1))
    clusters = distances[distances.min(dim=1).values.mean(dim=1).argmin()].argmin(dim=0)
    parted = len({tuple(part.unique().tolist()) for part in clusters.split(EACH)}) == 3
    assert parted == leaves
    assert all(part.unique().numel() == 1 for part in clusters.split(EACH)) == leaves
