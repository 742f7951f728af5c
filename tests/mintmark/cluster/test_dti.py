"""The network of several starts: identity at first, the gradient of a minimum, and starts that share nothing."""

import pytest
import torch

from mintmark.cluster.dti import DTI, Form
from mintmark.cluster.transformations import warp

STARTS, CLUSTERS, IMAGES = 3, 4, 5


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def make(shape=(8, 8, 1), *, moved=True):
    """A network of which the heads' last layers have left zero."""
    height, width, channels = shape
    form = Form(shape=shape, num_clusters=CLUSTERS, width=2, num_features=6, hidden=3)
    rng = torch.Generator().manual_seed(1)
    network = DTI(form, prototypes=seeded(STARTS, CLUSTERS, channels, height, width), rng=rng)
    if moved:
        with torch.no_grad():
            network.affine_weight.add_(0.1 * torch.randn(network.affine_weight.shape, generator=rng))
    return network


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (9, 17, 3)])
def test_fresh_network_predicts_the_identity_for_every_cluster(shape):
    images = seeded(IMAGES, shape[2], *shape[:2], seed=2)
    network = make(shape, moved=False)
    affines = network.affines(images)
    assert affines.shape == (STARTS, CLUSTERS, IMAGES, 6)
    assert torch.equal(affines, torch.tensor([1.0, 0, 0, 0, 1, 0]).expand_as(affines))
    assert torch.allclose(network.distances(images, affines), network.distances(images, None), atol=1e-5)


def test_distances_are_the_mean_squared_differences_of_single_warps():
    network, images = make(), seeded(IMAGES, 1, 8, 8, seed=2)
    affines = network.affines(images)
    distances = network.distances(images, affines)
    for start in range(STARTS):
        for cluster in range(CLUSTERS):
            for image in range(IMAGES):
                answer = warp(network.prototypes[start, cluster][None], affines[start, cluster, image].view(1, 1, 6))
                expected = (answer[0, 0] - images[image]).square().mean().item()
                assert distances[start, cluster, image].item() == pytest.approx(expected, abs=1e-6)


def test_gradient_through_the_winner_is_the_gradient_of_the_minimum_over_all():
    network, images = make(), seeded(IMAGES, 1, 8, 8, seed=2)
    affines = network.affines(images)
    clusters = network.distances(images, affines.detach()).argmin(dim=1)
    through_winner = network.errors(images, affines, clusters).sum()
    answers = warp(network.prototypes.flatten(0, 1), affines.flatten(0, 1)).unflatten(0, (STARTS, CLUSTERS))
    minimum = (answers - images).square().mean(dim=(3, 4, 5)).min(dim=1).values.sum()
    assert through_winner.item() == pytest.approx(minimum.item(), rel=1e-5)
    parameters = dict(network.named_parameters())
    ours = torch.autograd.grad(through_winner, list(parameters.values()), retain_graph=True)
    theirs = torch.autograd.grad(minimum, list(parameters.values()))
    for name, one, other in zip(parameters, ours, theirs, strict=True):
        assert one.abs().sum() > 0, name
        assert torch.allclose(one, other, atol=1e-6), name


def test_no_start_learns_from_another():
    network, images = make(), seeded(IMAGES, 1, 8, 8, seed=2)
    affines = network.affines(images)
    clusters = network.distances(images, affines.detach()).argmin(dim=1)
    network.errors(images, affines, clusters)[1].sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        shares = [share.abs().sum().item() for share in parameter.grad.chunk(STARTS)]
        assert shares[0] == shares[2] == 0, name
        assert shares[1] > 0, name


def test_a_start_alone_answers_as_among_the_others_and_shares_no_memory():
    network, images = make(), seeded(IMAGES, 1, 8, 8, seed=2)
    together = network.distances(images, network.affines(images))
    alone = network.start(2)
    assert alone.num_starts == 1
    assert torch.allclose(alone.distances(images, alone.affines(images))[0], together[2], atol=1e-6)
    with torch.no_grad():
        for parameter in alone.parameters():
            parameter.zero_()
    assert torch.equal(network.distances(images, network.affines(images)), together)
