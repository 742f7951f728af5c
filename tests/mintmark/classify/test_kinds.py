"""Kinds of classifier: each learns, answers alike from its file, and what cannot be used is refused in one line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.imported import module_class
from mintmark.classify.kinds import Kind, kind_step_flops, train_kind
from mintmark.classify.model import load_classifier, logits, save_classifier
from mintmark.classify.networks import LinearClassifier
from mintmark.classify.tabular import train_logistic
from mintmark.classify.training import Recipe, Synthetic
from mintmark.errors import BadInput

RECIPE = Recipe(steps=30, batch_size=16, learning_rate=0.05, weight_decay=0.0, width=4)
OWN = "mintmark.classify.networks:LinearClassifier"
KINDS = [
    Kind(),
    Kind(name="logistic"),
    Kind(name="logistic", components=5),
    Kind(name="boosting", components=5),
    Kind(name=OWN),
]


@pytest.fixture(scope="module")
def toys(toy_images):
    return toy_images(num=60).tensors()


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: f"{one.name}-{one.components}")
def test_every_kind_learns_and_repeats_itself(kind: Kind, toys, toy_images):
    first, second = (train_kind(kind, *toys, num_classes=3, recipe=RECIPE, seed=5) for _ in range(2))
    images, codes = toy_images(num=90, seed=1).tensors()
    assert float((logits(first, images).argmax(1) == codes).float().mean()) > 0.9
    assert torch.equal(logits(first, images), logits(second, images))
    assert logits(first, images[:0]).shape == (0, 3)


@pytest.mark.parametrize("kind", [one for one in KINDS if one.can_ship], ids=lambda one: f"{one.name}-{one.components}")
def test_a_kind_that_ships_comes_back_from_its_file(kind: Kind, toys, tmp_path: Path):
    network = train_kind(kind, *toys, num_classes=3, recipe=RECIPE, seed=5)
    save_classifier(tmp_path / "c.safetensors", network, classes=("a", "b", "c"), facts={})
    assert torch.equal(logits(load_classifier(tmp_path / "c.safetensors").network, toys[0]), logits(network, toys[0]))


def test_boosted_trees_do_not_ship(toys, tmp_path: Path):
    network = train_kind(KINDS[3], *toys, num_classes=3, recipe=RECIPE, seed=5)
    with pytest.raises(ValueError, match="got Boosted"):
        save_classifier(tmp_path / "c.safetensors", network, classes=("a", "b", "c"), facts={})
    assert not (tmp_path / "c.safetensors").exists()


@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_linear_layer_answers_as_scikit_learn_does(toys, num_classes: int):
    images, codes = toys[0][toys[1] < num_classes], toys[1][toys[1] < num_classes]
    labels = nn.functional.one_hot(codes, num_classes).float()
    network = train_logistic([(images, labels)], shape=(8, 8, 1), num_classes=num_classes, components=None)
    pixels = images.flatten(1).double().numpy()
    expected = LogisticRegression(max_iter=1000).fit(pixels, codes.numpy()).predict_proba(pixels)
    assert np.allclose(logits(network, images).softmax(1).numpy(), expected, atol=1e-3)


def test_soft_labels_count_by_their_probability(toys):
    """Every record twice, once under each label at half the weight, is a record with both labels."""
    images, codes = toys
    right, other = (nn.functional.one_hot((codes + step) % 3, 3).float() for step in (0, 1))
    common = {"shape": (8, 8, 1), "num_classes": 3, "components": None}
    soft = train_logistic([(images, right * 0.75 + other * 0.25)], **common)
    hard = train_logistic([(images, right), (images, right), (images, right), (images, other)], **common)
    belief = logits(soft, images).softmax(1)
    assert 0.5 < float(belief[torch.arange(60), codes].mean()) < 0.9
    assert torch.equal(belief.argmax(1), logits(hard, images).argmax(1))


def test_a_class_without_records_is_never_the_answer(toys):
    for name in ("logistic", "boosting"):
        network = train_kind(Kind(name=name), *toys, num_classes=5, recipe=RECIPE, seed=0)
        assert logits(network, toys[0]).softmax(1)[:, 3:].max() < 1e-6


def test_augmentation_and_synthetic_records_reach_scikit_learn(toys):
    images, codes = toys
    kind = Kind(name="logistic")
    plain = train_kind(kind, images, codes, num_classes=3, recipe=RECIPE, seed=0)
    bent = train_kind(
        kind, images, codes, num_classes=3, recipe=replace(RECIPE, augmentation=Augmentation(shift=0.2)), seed=0
    )
    wrong = Synthetic(images=images, labels=(codes + 1) % 3, share=0.75)
    misled = train_kind(kind, images, codes, num_classes=3, recipe=RECIPE, seed=0, synthetic=wrong)
    assert not torch.equal(logits(plain, images), logits(bent, images))
    assert float((logits(misled, images).argmax(1) == codes).float().mean()) < 0.2


class Noisy(nn.Module):
    """Draws from the global state, as dropout does."""

    def __init__(self, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(int(np.prod(shape)), num_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images)


class Narrow(Noisy):
    def __init__(self, shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__(shape, num_classes - 1)


class Greedy(Noisy):
    def __init__(self, shape: tuple[int, int, int], num_classes: int, depth: int) -> None:
        super().__init__(shape, num_classes * depth)


@pytest.fixture
def own(monkeypatch) -> str:
    """An importable module that holds the classes above."""
    import sys
    import types

    module = types.ModuleType("own_models")
    for one in (Noisy, Narrow, Greedy):
        setattr(module, one.__name__, one)
    monkeypatch.setitem(sys.modules, "own_models", module)
    return "own_models"


def test_a_module_of_one_s_own_may_draw_and_still_repeats_itself(own: str, toys):
    before = torch.get_rng_state()
    first, second, third = (
        train_kind(Kind(name=f"{own}:Noisy"), *toys, num_classes=3, recipe=RECIPE, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(logits(first, toys[0]), logits(second, toys[0]))
    assert not torch.equal(logits(first, toys[0]), logits(third, toys[0]))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_models:Narrow", r"expected answers of shape \(2, 3\), got \(2, 2\)"),
        ("own_models:Greedy", r"expected a class that takes \(shape, num_classes\)"),
        ("own_models:Absent", "expected a class that can be imported"),
        ("no_such_package.models:Net", "expected a class that can be imported: No module named"),
        ("math:pi", "expected a torch.nn.Module, got 3.14"),
    ],
)
def test_a_module_that_cannot_serve_is_named(own: str, toys, path: str, message: str):
    with pytest.raises(BadInput, match=f"classifier {path}: {message}"):
        train_kind(Kind(name=path), *toys, num_classes=3, recipe=RECIPE, seed=0)


def test_a_name_or_a_number_of_components_that_means_nothing_is_refused(toys):
    for name in ("forest", "package.module", "a b:C"):
        with pytest.raises(ValueError, match="name must be one of"):
            Kind(name=name)
    with pytest.raises(ValueError, match="components must be null"):
        Kind(name="cnn", components=3)
    with pytest.raises(BadInput, match="components: expected at most 60 for these images, got 90"):
        train_kind(Kind(name="logistic", components=90), *toys, num_classes=3, recipe=RECIPE, seed=0)


def test_a_step_of_a_module_is_counted(toys):
    found = kind_step_flops(Kind(name=OWN), (8, 8, 1), num_classes=3, width=4, batch_size=16)
    assert found == 2 * 2 * 16 * 64 * 3  # forward, and backward to the weights alone
    assert module_class(OWN) is LinearClassifier
