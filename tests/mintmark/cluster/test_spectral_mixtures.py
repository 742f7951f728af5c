"""Mixtures among neighbours part what balls cannot, and every one of them votes."""

import math
from dataclasses import replace

import pytest
import torch

from mintmark.cluster import kmeans
from mintmark.cluster.spectral_mixtures import Recipe, fit
from mintmark.errors import BadInput

RECIPE = Recipe(neighbours=(5, 8), dimensions=(3, 4), fits=2)
NUM = 120


@pytest.fixture(scope="module")
def arcs():
    """Two arcs, one in the other's bow."""
    angle = torch.linspace(0, math.pi, NUM)
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.stack([1 - angle.cos(), 0.3 - angle.sin()], dim=1)
    noise = 0.03 * torch.randn(2 * NUM, 2, generator=torch.Generator().manual_seed(0))
    return torch.cat([upper, lower]) + noise


def shared(clusters):
    """Share of the records that lie with those of their arc."""
    first = float((clusters[:NUM] == clusters[0]).double().mean())
    return first, float((clusters[NUM:] != clusters[0]).double().mean())


def test_bent_clusters_are_told_apart_where_kmeans_cuts_them(arcs):
    found = fit([arcs], num_clusters=2, recipe=replace(RECIPE, neighbours=(10, 15), dimensions=(2,)), seed=0)
    assert shared(found.together.clusters) == (1.0, 1.0)
    cut = kmeans.fit(arcs[:, :, None, None], num_clusters=2, recipe=kmeans.Recipe(starts=3, steps=50), seed=0)
    assert min(shared(cut.clusters[int(cut.losses.argmin())])) < 0.9


def test_every_graph_number_and_start_has_a_vote(arcs):
    found = fit([arcs, arcs.square()], num_clusters=3, recipe=RECIPE, seed=0)
    assert found.each.shape == (2 * 2 * 2 * 2, 2 * NUM)
    assert found.together.agreement.shape == (16,)
    assert set(found.each.unique().tolist()) == {0, 1, 2}
    assert math.isfinite(found.loss)


def test_the_seed_decides_and_so_does_each_start(arcs):
    once, again, other = (fit([arcs], num_clusters=4, recipe=RECIPE, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(once.each, again.each)
    assert once.loss == again.loss
    assert not torch.equal(once.each, other.each)
    assert not torch.equal(once.each[0], once.each[1])


def test_what_cannot_be_clustered_is_refused(arcs):
    with pytest.raises(BadInput, match="spaces: expected at least one"):
        fit([], num_clusters=2, recipe=RECIPE, seed=0)
    with pytest.raises(BadInput, match="num_clusters: expected 2 to 239"):
        fit([arcs], num_clusters=2 * NUM, recipe=RECIPE, seed=0)
    with pytest.raises(BadInput, match="num_neighbours"):
        fit([arcs], num_clusters=2, recipe=replace(RECIPE, neighbours=(2 * NUM,)), seed=0)


@pytest.mark.parametrize(
    ("name", "value"), [("neighbours", ()), ("neighbours", (1,)), ("dimensions", (0, 3)), ("fits", 0)]
)
def test_a_recipe_out_of_range_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        replace(RECIPE, **{name: value})
