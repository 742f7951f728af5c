"""Attacks on a generator's weights: own samples with their latents, inversion, calibration by shadows."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.gan.networks import Generator
from mintmark.gan.sampling import sample
from mintmark.intervals import auc
from mintmark.neighbours import nearest
from mintmark.privacy.generator import Search, attack_generator, inversion_scores, sample_own
from mintmark.privacy.parties import Parties
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.spaces import open_spaces
from mintmark.privacy.strangers import untrained_generator

RECIPE = Recipe(steps=5, batch_size=8, learning_rate=5e-3, weight_decay=0.0, width=4)
SEARCH = Search(own_samples=60, steps=15, learning_rate=0.1, max_records=1000)


@pytest.fixture(scope="module")
def network() -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Generator(shape=(8, 8, 1), num_classes=3, latent_size=6, width=4)
    return made.eval().requires_grad_(requires_grad=False)


def test_own_samples_are_what_the_generator_says_to_their_latents(network: Generator):
    own = sample_own(network, num=7, seed=1)
    assert own.codes.tolist() == [0, 1, 2, 0, 1, 2, 0]
    (images,) = sample(network, own.codes.numpy(), seed=1)
    assert own.pixels == pytest.approx(((images + 1) / 2).flatten(1), abs=1e-6)


def test_what_the_generator_can_say_is_inverted_and_noise_is_not(network: Generator):
    own, hidden = sample_own(network, num=60, seed=1), sample_own(network, num=30, seed=2)
    noise = torch.rand((30, 64), generator=torch.Generator().manual_seed(0))
    queries = torch.cat([hidden.pixels, noise])
    found = inversion_scores(network, queries, own=own, search=SEARCH)
    start = -nearest(queries, own.pixels).distances[:, 0].numpy()
    assert (found >= start - 1e-6).all()
    assert (found[:30] > start[:30] + 1e-3).mean() > 0.5
    assert auc(found[:30], found[30:]) > 0.99


def test_no_step_leaves_the_nearest_own_sample(network: Generator):
    own = sample_own(network, num=20, seed=1)
    queries = torch.rand((5, 64), generator=torch.Generator().manual_seed(0))
    found = inversion_scores(network, queries, own=own, search=replace(SEARCH, own_samples=20, steps=0))
    assert found == pytest.approx(-nearest(queries, own.pixels).distances[:, 0].numpy(), abs=1e-5)


def test_shadows_add_attacks(network: Generator, toy_images):
    sets: list[ImageSet] = [toy_images(num=12, seed=seed) for seed in range(4)]
    parties = Parties(members=sets[0], non_members=sets[1], reference=sets[2], bystanders=sets[3])
    spaces = open_spaces(sets[2], recipe=RECIPE, seed=0)
    shadows = Shadows(np.zeros((2, 24)), np.stack([np.arange(24) < 12, np.arange(24) >= 12]))
    attack = partial(attack_generator, network, parties, spaces=spaces, search=SEARCH, recipe=RECIPE, seed=0)
    alone = set(attack(shadows={}))
    assert alone == {"nearest", "calibrated", "neighbourhood", "density", "feature", "inversion"}
    found = attack(shadows={"nearest": shadows, "density": shadows})
    assert set(found) - alone == {
        f"{name}_{kind}" for name in ("nearest", "density") for kind in ("shadow", "lira", "rmia")
    }


def test_an_untrained_generator_has_the_architecture_and_none_of_the_weights(network: Generator):
    other, again = (untrained_generator(network, seed=5) for _ in range(2))
    assert {k: v.shape for k, v in other.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}
    latents, codes = torch.zeros(1, 6), torch.zeros(1, dtype=torch.int64)
    assert (other(latents, codes) == again(latents, codes)).all()
    assert (other(latents, codes) != network(latents, codes)).any()


@pytest.mark.parametrize("wrong", [{"own_samples": 0}, {"steps": -1}, {"learning_rate": 0.0}, {"max_records": 0}])
def test_a_wrong_search_is_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="must be at least"):
        Search(**({"own_samples": 1, "steps": 1, "learning_rate": 0.1, "max_records": 1} | wrong))  # type: ignore[arg-type]
