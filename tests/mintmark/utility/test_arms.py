"""Arms: what each trains on, and which data are refused."""

from dataclasses import replace

import numpy as np
import pytest

from mintmark.classify.augmentation import PLAIN, Augmentation
from mintmark.classify.training import Recipe
from mintmark.errors import BadInput
from mintmark.utility.arms import ARMS, Material, Mixture, arm_fit, check_alike

RECIPE = Recipe(steps=10, batch_size=8, learning_rate=0.01, weight_decay=0.0, width=4)
BENT = Augmentation(shift=0.1)


@pytest.fixture
def material(toy_images) -> Material:
    return Material(toy_images(num=30), toy_images(num=9, seed=1), toy_images(num=60, seed=2))


def fit(arm, material, mixture=None, soft_labels=None):
    return arm_fit(arm, material, seed=3, recipe=RECIPE, augmentation=BENT, mixture=mixture, soft_labels=soft_labels)


def test_every_arm_has_the_same_budget_seed_and_classes(material):
    fits = [fit(arm, material, Mixture(share=0.5, labels="hard")) for arm in ARMS]
    budgets = {(one.recipe.steps, one.recipe.batch_size, one.recipe.width, one.seed, one.num_classes) for one in fits}
    assert budgets == {(10, 8, 4, 3, 3)}


@pytest.mark.parametrize(
    ("arm", "bent", "real", "synthetic"),
    [
        ("real", False, True, False),
        ("augmented", True, True, False),
        ("real_synthetic", False, True, True),
        ("augmented_synthetic", True, True, True),
        ("synthetic", False, False, False),
    ],
)
def test_each_arm_trains_on_what_its_name_says(material, arm, bent, real, synthetic):
    found = fit(arm, material, Mixture(share=0.25, labels="hard"))
    assert found.recipe.augmentation == (BENT if bent else PLAIN)
    assert found.images is (material.train.images if real else material.release.images)
    assert found.codes is (material.train.codes if real else material.release.codes)
    assert (found.addition is not None) == synthetic
    if found.addition is not None:
        assert found.addition.images is material.release.images
        assert found.addition.labels is material.release.codes
        assert found.addition.share == 0.25


def test_soft_labels_reach_mixed_arms_alone(material):
    soft = np.full((60, 3), 1 / 3, np.float32)
    mixed = fit("real_synthetic", material, Mixture(share=0.5, labels="soft"), soft)
    assert mixed.addition is not None
    assert mixed.addition.labels is soft
    alone = fit("synthetic", material, Mixture(share=0.5, labels="soft"), soft)
    assert alone.addition is None
    assert alone.codes is material.release.codes


def test_a_mixed_arm_without_its_mixture_or_labels_is_an_error(material):
    for mixture in (None, Mixture(share=0.5, labels="soft")):
        with pytest.raises(ValueError, match="must have a mixture"):
            fit("augmented_synthetic", material, mixture)


def test_parts_of_another_form_or_without_records_are_refused(material):
    train, _, release = material
    check_alike({"train": train, "release": release})
    other = replace(release, classes=("a", "b", "c"))
    with pytest.raises(BadInput, match="release: expected the classes"):
        check_alike({"train": train, "release": other})
    with pytest.raises(BadInput, match=r"release: expected images of shape \(8, 8, 1\) as in train, got \(8, 4, 1\)"):
        check_alike({"train": train, "release": replace(release, images=release.images[:, :, :4])})
    with pytest.raises(BadInput, match="release: expected at least 2 labelled records, got 1"):
        check_alike({"train": train, "release": release.take(np.array([0]))})
    with pytest.raises(BadInput, match="train: expected labelled records of at least 2 classes, got 1"):
        check_alike({"train": train.take(train.codes == 0), "release": release})


def test_a_share_out_of_range_is_named():
    with pytest.raises(ValueError, match="share must lie between 0 and 1, got 1"):
        Mixture(share=1.0, labels="hard")
