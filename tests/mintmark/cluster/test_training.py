"""What the fit finds where pixels fail, its curriculum, its determinism and its refusals."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from mintmark.cluster import kmeans
from mintmark.cluster.challenge import Challenges
from mintmark.cluster.dti import DTI
from mintmark.cluster.scores import accuracy, contingency
from mintmark.cluster.training import CHECK_EVERY, fit, train
from mintmark.errors import BadInput


def agreement(clusters, codes):
    return accuracy(contingency(clusters.numpy(), codes, num_clusters=2, num_classes=2)).value


def test_shapes_that_pixels_confuse_are_told_apart(shifted, recipe):
    images, codes = shifted
    by_pixels = kmeans.fit(images, num_clusters=2, recipe=kmeans.Recipe(starts=10, steps=50), seed=0)
    by_warps = fit(images, num_clusters=2, recipe=recipe, seed=0)
    assert agreement(by_pixels.clusters[by_pixels.losses.argmin()], codes) < 0.75
    assert agreement(by_warps.clusters[by_warps.losses.argmin()], codes) > 0.95
    assert by_warps.losses.min() < 0.1 * by_pixels.losses.min()


def test_best_start_is_the_one_of_lowest_final_loss_and_assigns_as_reported(shifted, recipe):
    images, _ = shifted
    found = fit(images, num_clusters=2, recipe=replace(recipe, starts=4, steps=60), seed=1)
    assigned = found.best.assign(images)
    assert torch.equal(assigned.clusters, found.clusters[found.losses.argmin()])
    assert assigned.distances.mean().item() == pytest.approx(found.losses.min().item(), rel=1e-6)


def test_same_seed_gives_the_same_bits_and_another_seed_does_not(shifted, recipe):
    images, _ = shifted
    short = replace(recipe, starts=4, steps=60, identity_steps=20)
    first, second, other = (fit(images, num_clusters=2, recipe=short, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.losses, second.losses)
    assert torch.equal(first.best.prototypes, second.best.prototypes)
    assert first.history == second.history
    assert not torch.equal(first.losses, other.losses)


def test_curriculum_begins_with_the_identity_and_turns_affine_at_the_latest_when_time_is_up(shifted, recipe):
    patient = replace(recipe, starts=2, plateau=0.0, identity_steps=40, steps=60)
    steps = list(train(shifted[0], num_clusters=2, recipe=patient, seed=0))
    assert [step.stage for step in steps] == [0] * 40 + [1] * 20
    assert [step.number for step in steps] == list(range(1, 61))


def test_curriculum_turns_affine_earlier_on_a_plateau(shifted, recipe):
    hasty = replace(recipe, starts=2, plateau=0.99, identity_steps=200)
    steps = islice(train(shifted[0], num_clusters=2, recipe=hasty, seed=0), 3 * CHECK_EVERY)
    turned = [step.stage for step in steps].index(1)
    assert turned == 2 * CHECK_EVERY


def test_heads_stay_zero_until_the_affine_stage(shifted, recipe):
    steps = train(shifted[0], num_clusters=2, recipe=replace(recipe, plateau=0.0, identity_steps=30), seed=0)
    moved = [step.network.last_layer("affine")[0].abs().sum().item() > 0 for step in islice(steps, 35)]
    assert moved == [False] * 30 + [True] * 5


def test_transformations_join_one_by_one_and_learn_from_then_on(shifted, recipe):
    names = ("affine", "colour", "thin_plate_spline")
    patient = replace(recipe, starts=2, plateau=0.0, identity_steps=15, steps=70, transformations=names)
    steps = train(shifted[0], num_clusters=2, recipe=patient, seed=0)
    stages, moved = [], []
    for step in steps:
        stages.append(step.stage)
        moved.append([step.network.last_layer(name)[0].abs().sum().item() > 0 for name in names])
    assert stages == [0] * 15 + [1] * 15 + [2] * 15 + [3] * 25
    assert moved == [[place < stage for place in range(3)] for stage in stages]


def test_each_transformation_waits_for_a_plateau_of_its_own(shifted, recipe):
    hasty = replace(recipe, starts=2, plateau=0.99, identity_steps=200, transformations=("affine", "colour"))
    steps = islice(train(shifted[0], num_clusters=2, recipe=hasty, seed=0), 5 * CHECK_EVERY)
    stages = [step.stage for step in steps]
    assert [stages.index(1), stages.index(2)] == [2 * CHECK_EVERY, 4 * CHECK_EVERY]


def test_all_join_at_once_where_the_identity_has_no_step(shifted, recipe):
    at_once = replace(recipe, starts=2, identity_steps=0, transformations=("affine", "colour"))
    assert next(train(shifted[0], num_clusters=2, recipe=at_once, seed=0)).stage == 2


def test_longer_sequence_is_fitted_counted_and_told(shifted, recipe):
    longer = replace(
        recipe, starts=2, plateau=0.0, steps=100, identity_steps=25, transformations=("affine", "thin_plate_spline")
    )
    found = fit(shifted[0], num_clusters=2, recipe=longer, seed=0)
    assert found.cost["affine_steps"] == 75
    assert found.cost["thin_plate_spline_steps"] == 50
    told = [entry.transformation for entry in found.history if entry.start == 0]
    assert told == ["identity", "affine", "thin_plate_spline", "thin_plate_spline"]
    assert found.best.align(shifted[0], found.clusters[0]).shape == shifted[0].shape


def test_colours_are_told_from_shapes(recipe):
    rng, codes = np.random.default_rng(0), np.arange(120) % 2
    shapes = np.zeros((2, 1, 6, 6), np.float32)
    shapes[0, 0, 1:5, 2:4] = 1.0
    shapes[1, 0, 2:4, 1:5] = 1.0
    inks = rng.uniform(-1, 1, (120, 3, 1, 1)).astype(np.float32)
    images = torch.from_numpy(shapes[codes] * inks)
    plain = replace(recipe, starts=6, priced_starts=0.0, priced=0.0, price_rate=0.0, steps=300)
    coloured = replace(plain, transformations=("colour",), identity_steps=25, plateau=0.0)
    by_pixels = kmeans.fit(images, num_clusters=2, recipe=kmeans.Recipe(starts=6, steps=50), seed=0)
    by_colour = fit(images, num_clusters=2, recipe=coloured, seed=0)
    assert agreement(by_pixels.clusters[by_pixels.losses.argmin()], codes) < 0.8
    assert agreement(by_colour.clusters[by_colour.losses.argmin()], codes) > 0.95


def test_prices_even_out_clusters_only_where_charged(digits, recipe):
    images, _ = digits.take(np.arange(400)).tensors()
    charged = replace(recipe, starts=6, steps=100, identity_steps=200, plateau=0.0, priced=1.0, price_rate=0.05)
    clusters = {}
    for share in (0.0, 1.0):
        steps = train(images, num_clusters=10, recipe=replace(charged, priced_starts=share), seed=0)
        *_, last = steps
        centred = images - images.min()
        clusters[share] = last.network.distances(centred, ()).argmin(dim=1)
    spread = {
        share: np.mean([np.bincount(start, minlength=10).std() for start in found.numpy()])
        for share, found in clusters.items()
    }
    assert spread[1.0] < 0.8 * spread[0.0]


def test_prices_are_lifted_before_the_end_and_paid_by_some_starts_alone(shifted, recipe, monkeypatch):
    asked, losses = [], DTI.losses

    def recorded(network, images, *, stage, prices):
        asked.append(prices.abs().sum(dim=1) > 0)
        return losses(network, images, stage=stage, prices=prices)

    monkeypatch.setattr(DTI, "losses", recorded)
    charged = replace(recipe, starts=4, steps=20, priced_starts=0.5, priced=0.6)
    list(train(shifted[0], num_clusters=3, recipe=charged, seed=0))
    paid = torch.stack(asked)
    assert paid[1:13, :2].all()  # 12 steps: each pays what the one before has made of the prices
    assert not paid[13:].any()
    assert not paid[:, 2:].any()


def test_prototypes_move_a_tenth_as_fast_at_the_end(shifted, recipe):
    patient = replace(recipe, starts=2, steps=24, cooldown=0.5, identity_steps=100, plateau=0.0)
    seen = [
        step.network.prototypes.detach().clone() for step in train(shifted[0], num_clusters=2, recipe=patient, seed=0)
    ]
    moved = [(after - before).abs().max().item() for before, after in pairwise(seen)]
    assert max(moved[12:]) < 0.2 * min(moved[:10])


def test_no_cluster_is_restarted_at_the_end(shifted, recipe):
    strict = replace(recipe, starts=3, steps=4 * CHECK_EVERY, cooldown=0.5, restart_below=1.0)
    steps = train(shifted[0], num_clusters=4, recipe=strict, seed=0)
    assert [step.number for step in steps if step.restarts] == [CHECK_EVERY, 2 * CHECK_EVERY]


@pytest.mark.parametrize(("priced", "identity_steps", "first"), [(0.5, 5, 20), (0.1, 25, 28)])
def test_challenges_wait_for_prices_and_transformations_and_end_before_the_lower_rates(
    shifted, recipe, monkeypatch, priced, identity_steps, first
):
    rounds = []
    monkeypatch.setattr(Challenges, "round", lambda _, *, stage: rounds.append(stage) or 0)
    challenged = replace(
        recipe,
        starts=2,
        steps=40,
        cooldown=0.1,
        challenge_every=4,
        plateau=0.0,
        priced=priced,
        identity_steps=identity_steps,
    )
    seen = [(step.number, len(rounds)) for step in train(shifted[0], num_clusters=2, recipe=challenged, seed=0)]
    held = [number for (number, after), (_, before) in zip(seen, [(0, 0), *seen], strict=False) if after > before]
    assert held == list(range(first, 36, 4))
    assert set(rounds) == {1}


def test_white_background_is_found_as_well_as_a_black_one(shifted, recipe):
    images, codes = shifted
    found = fit(-images, num_clusters=2, recipe=recipe, seed=0)
    assert agreement(found.clusters[found.losses.argmin()], codes) > 0.95


def test_colours_may_lie_together_in_memory_as_in_pictures(recipe):
    images = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    short = replace(recipe, starts=2, steps=4, identity_steps=2)
    apart, together = (
        fit(images.contiguous(memory_format=layout), num_clusters=2, recipe=short, seed=0)
        for layout in (torch.contiguous_format, torch.channels_last)
    )
    assert torch.equal(together.clusters, apart.clusters)
    assert torch.equal(together.losses, apart.losses)
    pictures = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(together.best.align(pictures, apart.clusters[0]), apart.best.align(images, apart.clusters[0]))


def test_runaway_learning_rate_stops_with_one_line(shifted, recipe):
    wild = replace(recipe, learning_rate=1e30, prototype_learning_rate=1e30)
    with pytest.raises(BadInput, match="loss left the finite numbers"):
        fit(shifted[0], num_clusters=2, recipe=wild, seed=0)


def test_pixel_that_is_no_number_is_refused(shifted, recipe):
    images = shifted[0].clone()
    images[7, 0, 4, 4] = float("nan")
    with pytest.raises(BadInput, match="record 7: expected finite pixels, got others in 1 records"):
        fit(images, num_clusters=2, recipe=recipe, seed=0)


def test_identical_images_are_refused(recipe):
    with pytest.raises(BadInput, match="expected at least 2 different records for 2 clusters, got 1 among 9 records"):
        fit(torch.zeros(9, 1, 8, 8), num_clusters=2, recipe=recipe, seed=0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("transformations", ("twist",), r"transformations must be different ones of .*, got \['twist'\]"),
        ("starts", 0, "starts must be at least 1, got 0"),
        ("priced_starts", 1.5, r"priced_starts must lie in 0\.\.1, got 1.5"),
        ("plateau", -0.1, "plateau must not be negative, got -0.1"),
        ("learning_rate", 0.0, "learning_rate must be above 0, got 0.0"),
    ],
)
def test_recipe_refuses_impossible_numbers(recipe, name, value, message):
    with pytest.raises(ValueError, match=message):
        replace(recipe, **{name: value})
