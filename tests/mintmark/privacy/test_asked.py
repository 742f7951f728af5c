"""Shadow generators are asked as the target is: releases after the filter, against what each of them learnt from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.errors import BadInput
from mintmark.fidelity.copies import CopyFilter
from mintmark.gan.model import load_generator, save_discriminator, save_generator
from mintmark.gan.networks import Discriminator, Generator
from mintmark.privacy.asked import Questions, ask_generators, ask_releases
from mintmark.privacy.generator import Search, attack_generator
from mintmark.privacy.parties import Parties
from mintmark.privacy.spaces import open_spaces
from mintmark.shadow.coins import toss
from mintmark.shadow.store import Store, gan_paths, read_store, write_coins, write_index

RECIPE = Recipe(steps=3, batch_size=16, learning_rate=5e-3, weight_decay=0.0, width=4)


@pytest.fixture
def parties(digits: ImageSet) -> Parties:
    parts = [digits.take(np.arange(start, start + 60)) for start in range(0, 240, 60)]
    return Parties(members=parts[0], non_members=parts[1], reference=parts[2], bystanders=parts[3])


def ask(parties: Parties, *names: str) -> Questions:
    return Questions(
        names,
        search=Search(own_samples=80, steps=2, learning_rate=0.05, max_records=60),
        auxiliary=RECIPE,
        spaces=open_spaces(parties.reference, recipe=RECIPE, seed=0),
        seed=0,
    )


def two_shadows(folder: Path, parties: Parties) -> Store:
    coins = toss(parties.codes(), num=2, seed=0)
    for place in range(2):
        torch.manual_seed(place)
        generator = Generator(shape=(8, 8, 1), num_classes=10, latent_size=4, width=4)
        paths = gan_paths(folder, f"gan-{place}")
        save_generator(paths[0], generator, classes=parties.members.classes, facts={})
        discriminator = Discriminator(shape=(8, 8, 1), num_classes=10, width=4)
        save_discriminator(paths[1], discriminator, classes=parties.members.classes, facts={})
    ids = [*parties.members.ids, *parties.non_members.ids]
    write_coins(folder, ids, {f"gan-{place}": mask for place, mask in enumerate(coins)})
    write_index(folder, classifiers=[], gans=["gan-0", "gan-1"], twins=[], facts={})
    return read_store(folder)


def test_a_filter_that_takes_nothing_changes_nothing_and_a_strong_one_does(parties: Parties, tmp_path: Path):
    store, questions = two_shadows(tmp_path, parties), ask(parties, "nearest", "density")
    plain = ask_generators(store, parties, questions)
    assert set(plain) == {"nearest", "density"}
    classes = np.unique(parties.codes()).tolist()
    distance = np.exp(-plain["nearest"].answers[plain["nearest"].trained_on])  # to what each shadow learnt from

    def released(threshold: float) -> np.ndarray:
        copy_filter = CopyFilter(thresholds=dict.fromkeys(classes, threshold))
        return ask_releases(store, parties, questions, num=80, copy_filter=copy_filter)["nearest"].answers

    assert released(0.0) == pytest.approx(plain["nearest"].answers)
    limit = float(np.quantile(distance, 0.2))
    filtered, known = released(limit), plain["nearest"].trained_on
    assert np.exp(-filtered[known]).min() > limit  # nothing left that near to what the shadow learnt from
    alone = ask_releases(store, parties, questions, num=80, copy_filter=None)
    assert alone["density"].answers == pytest.approx(plain["density"].answers)


def test_without_shadow_generators_there_are_no_answers(parties: Parties, tmp_path: Path):
    write_index(tmp_path, classifiers=[], gans=[], twins=[], facts={})
    questions = ask(parties, "nearest", "inversion")
    store = read_store(tmp_path)
    assert ask_generators(store, parties, questions) == {}
    assert ask_releases(store, parties, questions, num=10, copy_filter=None) == {}


EVERY = ("nearest", "density", "neighbourhood", "feature", "auxiliary", "inversion")


def test_every_attack_of_the_generator_can_be_asked_of_shadows(parties: Parties, tmp_path: Path):
    store, questions = two_shadows(tmp_path, parties), ask(parties, *EVERY)
    asked = ask_generators(store, parties, questions)
    assert set(asked) == set(EVERY)
    released = ask_releases(store, parties, questions, num=80, copy_filter=None)
    assert set(released) == set(EVERY) - {"inversion"}
    target = Generator(shape=(8, 8, 1), num_classes=10, latent_size=4, width=4).eval()
    how = {"spaces": questions.spaces, "search": questions.search, "recipe": RECIPE, "seed": 0}
    found = attack_generator(target, parties, shadows=asked, **how)
    assert {f"{name}_{way}" for name in EVERY for way in ("shadow", "lira", "rmia")} <= set(found)


def test_a_shadow_that_is_the_target_answers_as_it_does(parties: Parties, tmp_path: Path):
    store, questions = two_shadows(tmp_path, parties), ask(parties, *EVERY)
    asked = ask_generators(store, parties, questions)
    own_shadow = load_generator(gan_paths(tmp_path, "gan-0")[0]).network
    how = {"spaces": questions.spaces, "search": questions.search, "recipe": RECIPE, "seed": 0}
    for name in EVERY:
        with pytest.raises(BadInput, match="it is the target"):
            attack_generator(own_shadow, parties, shadows={name: asked[name]}, **how)
