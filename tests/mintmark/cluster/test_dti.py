"""The network of several starts: identity at first, the gradient of a minimum, and starts that share nothing."""

import pytest
import torch

from mintmark.cluster.dti import DTI, Form
from mintmark.transformations.affine import identity, warp
from mintmark.transformations.sequence import KNOWN, apply_all, named

STARTS, CLUSTERS, IMAGES = 3, 4, 5
SEQUENCES = [("affine",), ("colour", "projective", "morphological", "thin_plate_spline")]


def seeded(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def make(shape=(8, 8, 1), *, moved=True, transformations=("affine",)):
    """A network of which the heads' last layers have left zero."""
    height, width, channels = shape
    form = Form(shape=shape, num_clusters=CLUSTERS, width=2, num_features=6, hidden=3, transformations=transformations)
    rng = torch.Generator().manual_seed(1)
    network = DTI(form, prototypes=seeded(STARTS, CLUSTERS, channels, height, width), rng=rng)
    if moved:
        with torch.no_grad():
            for name in transformations:
                weight, _ = network.last_layer(name)
                weight.add_(0.1 * torch.randn(weight.shape, generator=rng))
    return network


def all_offsets(network, images):
    return network.offsets(images, stage=len(network.transformations))


def detached(offsets):
    return tuple(one.detach() for one in offsets)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (9, 17, 3)])
def test_fresh_network_predicts_the_identity_for_every_cluster(shape):
    images = seeded(IMAGES, shape[2], *shape[:2], seed=2)
    network = make(shape, moved=False)
    offsets = all_offsets(network, images)
    assert [one.shape for one in offsets] == [(STARTS, CLUSTERS, IMAGES, 6)]
    assert torch.equal(offsets[0], torch.zeros_like(offsets[0]))
    assert torch.allclose(network.distances(images, offsets), network.distances(images, ()), atol=1e-5)


def test_distances_are_the_mean_squared_differences_of_single_warps():
    network, images = make(), seeded(IMAGES, 1, 8, 8, seed=2)
    offsets = all_offsets(network, images)
    distances = network.distances(images, offsets)
    for start in range(STARTS):
        for cluster in range(CLUSTERS):
            for image in range(IMAGES):
                answer = warp(
                    network.prototypes[start, cluster][None],
                    offsets[0][start, cluster, image].view(1, 1, 6) + identity(images),
                )
                expected = (answer[0, 0] - images[image]).square().mean().item()
                assert distances[start, cluster, image].item() == pytest.approx(expected, abs=1e-6)


def test_every_transformation_answers_in_sequence():
    network, images = make(transformations=SEQUENCES[1]), seeded(IMAGES, 1, 8, 8, seed=2)
    offsets = all_offsets(network, images)
    assert [one.shape[3] for one in offsets] == [KNOWN[name].num_parameters(1) for name in SEQUENCES[1]]
    prototype = network.prototypes[1, 2].expand(IMAGES, 1, 1, 8, 8)
    answers = apply_all(named(SEQUENCES[1]), prototype, [one[1, 2][:, None] for one in offsets])[:, 0]
    expected = (answers - images).square().mean(dim=(1, 2, 3))
    assert torch.allclose(network.distances(images, offsets)[1, 2], expected, atol=1e-6)


def test_every_second_row_and_column_are_looked_at():
    network, images = make((20, 18, 1), transformations=SEQUENCES[1]), seeded(IMAGES, 1, 20, 18, seed=2)
    offsets = all_offsets(network, images)
    prototypes = network.prototypes.detach().flatten(0, 1)[:, None]
    answers = apply_all(network.transformations, prototypes, [one.detach().flatten(0, 1) for one in offsets])
    seen = (answers.unflatten(0, (STARTS, CLUSTERS)) - images)[..., ::2, ::2]
    assert torch.allclose(network.distances(images, offsets, step=2), seen.square().mean(dim=(3, 4, 5)), atol=1e-6)


@pytest.mark.parametrize(("side", "looked_at"), [(15, 1), (16, 2)])
def test_the_choice_looks_at_part_of_large_images_and_the_loss_at_all(side, looked_at):
    network, images = make((side, side, 1)), seeded(IMAGES, 1, side, side, seed=2)
    offsets, prices = all_offsets(network, images), torch.zeros(STARTS, CLUSTERS)
    losses, clusters = network.losses(images, stage=1, prices=prices)
    assert torch.equal(clusters, network.distances(images, offsets, step=looked_at).argmin(dim=1))
    assert torch.equal(losses, network.errors(images, offsets, clusters).mean(dim=1))


def test_later_transformations_wait_for_their_stage():
    network, images = make(transformations=SEQUENCES[1]), seeded(IMAGES, 1, 8, 8, seed=2)
    whole = all_offsets(network, images)
    assert network.offsets(images, stage=0) == ()
    assert all(torch.equal(*pair) for pair in zip(network.offsets(images, stage=2), whole[:2], strict=True))


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_gradient_through_the_winner_is_the_gradient_of_the_minimum_over_all(sequence):
    network, images = make(transformations=sequence), seeded(IMAGES, 1, 8, 8, seed=2)
    offsets = all_offsets(network, images)
    clusters = network.distances(images, detached(offsets)).argmin(dim=1)
    through_winner = network.errors(images, offsets, clusters).sum()
    answers = apply_all(
        network.transformations, network.prototypes.flatten(0, 1)[:, None], [one.flatten(0, 1) for one in offsets]
    )
    minimum = (answers.unflatten(0, (STARTS, CLUSTERS)) - images).square().mean(dim=(3, 4, 5)).min(dim=1).values.sum()
    assert through_winner.item() == pytest.approx(minimum.item(), rel=1e-5)
    parameters = dict(network.named_parameters())
    ours = torch.autograd.grad(through_winner, list(parameters.values()), retain_graph=True)
    theirs = torch.autograd.grad(minimum, list(parameters.values()))
    for name, one, other in zip(parameters, ours, theirs, strict=True):
        assert one.abs().sum() > 0, name
        assert torch.allclose(one, other, atol=1e-6), name


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_no_start_learns_from_another(sequence):
    network, images = make(transformations=sequence), seeded(IMAGES, 1, 8, 8, seed=2)
    offsets = all_offsets(network, images)
    clusters = network.distances(images, detached(offsets)).argmin(dim=1)
    network.errors(images, offsets, clusters)[1].sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        shares = [share.abs().sum().item() for share in parameter.grad.chunk(STARTS)]
        assert shares[0] == shares[2] == 0, name
        assert shares[1] > 0, name


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_start_alone_answers_as_among_the_others_and_shares_no_memory(sequence):
    network, images = make(transformations=sequence), seeded(IMAGES, 1, 8, 8, seed=2)
    together = network.distances(images, all_offsets(network, images))
    alone = network.start(2)
    assert alone.num_starts == 1
    assert torch.allclose(alone.distances(images, all_offsets(alone, images))[0], together[2], atol=1e-6)
    with torch.no_grad():
        for parameter in alone.parameters():
            parameter.zero_()
    assert torch.equal(network.distances(images, all_offsets(network, images)), together)
