"""Private training of a classifier: the plain step where nothing is noised, no record knows of another, and it learns."""

import pytest
import torch
from torch.nn import functional

from mintmark.classify.model import load_classifier, logits, save_classifier
from mintmark.classify.networks import RecordwiseCNN, SmallCNN
from mintmark.classify.private_training import PrivateRecipe, train_private_classifier
from mintmark.differential.accountant import Budget, Spending
from mintmark.differential.gradients import Noise, set_private_gradients
from mintmark.errors import BadInput

BUDGET = Budget(epsilon=8.0, delta=1e-3, max_grad_norm=1.0)
RECIPE = PrivateRecipe(budget=BUDGET, steps=60, batch_size=60, learning_rate=0.01, width=4)


def trained(images, codes, *, seed=0, spent=None, recipe=RECIPE):
    spent = spent or recipe.spending(num_records=len(images))
    return train_private_classifier(images, codes, num_classes=3, recipe=recipe, spent=spent, seed=seed)


def weights_of(network):
    return torch.cat([one.detach().flatten() for one in network.parameters()])


@pytest.fixture(scope="module")
def toys(toy_images):
    return toy_images(num=300).tensors()


def test_it_learns_and_keeps_its_budget(toys, toy_images):
    assert RECIPE.spending(num_records=300).epsilon <= 8.0
    images, codes = toy_images(num=90, seed=1).tensors()
    network = trained(*toys)
    assert float((logits(network, images).argmax(1) == codes).float().mean()) > 0.8
    assert not network.training


def test_the_same_seed_gives_the_same_weights_and_another_does_not(toys):
    short = PrivateRecipe(budget=BUDGET, steps=4, batch_size=60, learning_rate=0.01, width=4)
    before = torch.get_rng_state()
    first, second, third = (weights_of(trained(*toys, seed=seed, recipe=short)) for seed in (7, 7, 8))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert torch.equal(before, torch.get_rng_state())


def test_without_noise_and_cut_the_gradient_is_the_usual_one(toy_images):
    images, codes = toy_images(num=12).tensors()
    network = RecordwiseCNN((8, 8, 1), 3, 4)
    functional.cross_entropy(network(images), codes).backward()
    plain = [one.grad.clone() for one in network.parameters() if one.grad is not None]
    set_private_gradients(
        network,
        lambda: functional.cross_entropy(network(images), codes, reduction="none"),
        num_records=12,
        noise=Noise(0.0, 1e9, 12.0),
        rng=torch.Generator(),
    )
    for private, expected in zip(network.parameters(), plain, strict=True):
        assert private.grad is not None
        assert torch.allclose(private.grad, expected, atol=1e-6)


def test_no_answer_depends_on_the_other_records_of_a_batch(toy_images):
    images, _ = toy_images(num=12).tensors()
    network = RecordwiseCNN((8, 8, 1), 3, 4)
    with torch.no_grad():
        assert torch.allclose(network.train()(images)[:1], network(images[:1]), atol=1e-6)
        mixing = SmallCNN((8, 8, 1), 3, 4)
        assert not torch.allclose(mixing.train()(images)[:1], mixing(images[:1]), atol=1e-2)  # the test can fail


def test_steps_without_a_record_are_taken(toys):
    nobody = Spending(epsilon=0.1, delta=1e-3, noise_multiplier=1.0, max_grad_norm=1.0, sample_rate=1e-9, steps=2)
    assert torch.isfinite(weights_of(trained(*toys, spent=nobody))).all()


def test_the_file_rebuilds_it(tmp_path, toys):
    network = RecordwiseCNN((8, 8, 1), 3, 4).eval()
    save_classifier(tmp_path / "one.safetensors", network, classes=("a", "b", "c"), facts={})
    loaded = load_classifier(tmp_path / "one.safetensors").network
    assert torch.equal(logits(loaded, toys[0]), logits(network, toys[0]))


def test_unlabelled_records_and_too_few_are_refused(toys):
    images, codes = toys
    with pytest.raises(BadInput, match="expected records of 0 to 2"):
        trained(images, codes - 1)
    with pytest.raises(BadInput, match=r"evaluate\.privacy\.delta must be below"):
        RECIPE.spending(num_records=10_000)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 0}, "steps"),
        ({"width": 6}, "width must be a multiple of 4"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_a_wrong_recipe_is_named(changes, said):
    with pytest.raises(ValueError, match=said):
        PrivateRecipe(**({"budget": BUDGET, "steps": 1, "batch_size": 1, "learning_rate": 0.1, "width": 4} | changes))
