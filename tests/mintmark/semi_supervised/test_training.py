import copy
import itertools
from typing import Any

import pytest
import torch
from torch.nn import functional

from mintmark import weights
from mintmark.classify.augmentation import PLAIN, Augmentation, bend
from mintmark.errors import BadInput
from mintmark.gan.batches import BalancedSampler
from mintmark.gan.checkpoint import restore, save
from mintmark.semi_supervised.model import fit_semi_supervised, load_semi_supervised, save_semi_supervised
from mintmark.semi_supervised.recipe import Recipe
from mintmark.semi_supervised.training import initial_state, train


def recipe(**changes):
    facts = {
        "form": "dense", "steps": 3, "latent_size": 4, "generator_width": 8, "discriminator_width": 16,
        "input_noise": 0.1, "hidden_noise": 0.1, "labelled_batch_size": 6, "batch_size": 8, "learning_rate": 2e-3,
        "beta1": 0.5, "adversarial_weight": 1.0, "ema_decay": 0.9, "precision": "float32",
        "augmentation": Augmentation(shift=0.1),
    }  # fmt: skip
    return Recipe(**(facts | changes))


def few_labels(toy_images, *, kept=6, **more):
    images, codes = toy_images(**more).tensors()
    return images, torch.where(torch.arange(len(codes)) < kept, codes, -1)


def weights_of(state):
    networks = (state.generator, state.discriminator, state.average)
    return [parameter.detach().clone() for network in networks for parameter in network.parameters()]


def equal(one, other):
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


def last(steps):
    *_, final = steps
    return final


def trained(images, codes, seed=0, **changes: Any):
    return weights_of(last(train(images, codes, num_classes=3, recipe=recipe(**changes), seed=seed)).state)


@pytest.mark.parametrize("form", ["dense", "convolutional"])
def test_the_same_seed_gives_the_same_weights_and_another_does_not(toy_images, form):
    images, codes = few_labels(toy_images)
    runs = [trained(images, codes, seed, form=form, discriminator_width=4) for seed in (1, 1, 2)]
    assert equal(runs[0], runs[1])
    assert not equal(runs[0], runs[2])


def test_the_global_random_state_is_left_alone(toy_images):
    images, codes = few_labels(toy_images)
    before = torch.random.get_rng_state()
    trained(images, codes)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "changes",
    [{}, {"form": "convolutional", "precision": "bfloat16", "discriminator_width": 4}, {"consistency_weight": 1.0}],
)
def test_every_parameter_of_both_players_moves(toy_images, changes):
    images, codes = few_labels(toy_images, channels=3)
    state = initial_state((8, 8, 3), num_classes=3, recipe=recipe(**changes), seed=0, device=torch.device("cpu"))
    before = weights_of(state)
    last(train(images, codes, num_classes=3, recipe=recipe(**changes), seed=0, state=state))
    after = weights_of(state)
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert all(one.isfinite().all() for one in after)


def test_steps_are_numbered_and_end_with_the_recipe(toy_images):
    images, codes = few_labels(toy_images)
    steps = list(train(images, codes, num_classes=3, recipe=recipe(steps=3), seed=0))
    assert [step.number for step in steps] == [1, 2, 3]


def test_the_first_step_descends_the_published_losses_of_each_player(toy_images):
    """Recomputed by hand from the same draws: Adam's first step moves every weight against its gradient's sign."""
    images, codes = few_labels(toy_images)
    plain = recipe(input_noise=0.0, hidden_noise=0.0, augmentation=PLAIN)
    state = initial_state((8, 8, 1), num_classes=3, recipe=plain, seed=0, device=torch.device("cpu"))
    fresh = copy.deepcopy(state.discriminator), copy.deepcopy(state.generator)
    next(train(images, codes, num_classes=3, recipe=plain, seed=0, state=state))
    rng = torch.Generator().manual_seed(0)
    labelled = BalancedSampler(images[codes >= 0], codes[codes >= 0], 3).draw(6, rng=rng)
    drawn = images[torch.randint(len(images), (8,), generator=rng)]
    for part in (labelled.images, drawn):
        bend(part, PLAIN, generator=rng)  # it draws, and changes nothing
    discriminator, generator = fresh
    fake = generator(torch.randn((8, 4), generator=rng))
    supervised = functional.cross_entropy(discriminator(labelled.images), labelled.codes)
    is_fake = [functional.pad(discriminator(part), (0, 1)).softmax(dim=1)[:, -1] for part in (drawn, fake.detach())]
    judged = -(torch.log(1 - is_fake[0]).mean() + torch.log(is_fake[1]).mean()) / 2
    (supervised + judged).backward()
    means = [discriminator.features(part).mean(dim=0) for part in (drawn, fake)]
    gradients = torch.autograd.grad((means[0].detach() - means[1]).abs().mean(), list(generator.parameters()))
    for parameter, gradient in zip(generator.parameters(), gradients, strict=True):
        parameter.grad = gradient
    compared = 0
    for network, moved in zip(fresh, (state.discriminator, state.generator), strict=True):
        for old, new in zip(network.parameters(), moved.parameters(), strict=True):
            assert old.grad is not None
            clear = old.grad.abs() > 1e-5
            compared += int(clear.sum())
            expected = (old - 2e-3 * old.grad.sign())[clear]
            torch.testing.assert_close(new[clear], expected, atol=5e-6, rtol=0)
    assert compared > 500


def test_without_a_gan_the_generator_stays_and_the_unlabelled_images_change_nothing(toy_images):
    images, codes = few_labels(toy_images)
    changed = torch.where((codes < 0)[:, None, None, None], -images, images)
    fresh = initial_state((8, 8, 1), num_classes=3, recipe=recipe(), seed=0, device=torch.device("cpu"))
    runs = [
        last(train(part, codes, num_classes=3, recipe=recipe(adversarial_weight=0.0), seed=0))
        for part in (images, changed)
    ]
    assert equal(weights_of(runs[0].state), weights_of(runs[1].state))
    assert equal(list(fresh.generator.parameters()), list(runs[0].state.generator.parameters()))
    assert runs[0].matching_loss == runs[0].adversarial_loss == 0


def test_with_a_gan_the_unlabelled_images_move_the_classifier(toy_images):
    images, codes = few_labels(toy_images)
    changed = torch.where((codes < 0)[:, None, None, None], -images, images)
    assert not equal(trained(images, codes), trained(changed, codes))


@pytest.mark.parametrize("term", ["conditional_entropy_weight", "pull_away_weight", "consistency_weight"])
def test_every_further_term_enters(toy_images, term):
    images, codes = few_labels(toy_images)
    assert not equal(trained(images, codes), trained(images, codes, 0, **{term: 1.0}))


def test_a_run_that_goes_on_from_its_checkpoint_ends_at_the_same_weights(toy_images, tmp_path):
    images, codes = few_labels(toy_images)
    whole = trained(images, codes)
    steps = train(images, codes, num_classes=3, recipe=recipe(), seed=0)
    halfway = next(itertools.islice(steps, 1, None)).state
    save(tmp_path / "state.safetensors", halfway, torch.zeros((0, 1), dtype=torch.float64))
    fresh = initial_state((8, 8, 1), num_classes=3, recipe=recipe(), seed=9, device=torch.device("cpu"))
    restore(tmp_path / "state.safetensors", fresh)
    assert equal(
        whole, weights_of(last(train(images, codes, num_classes=3, recipe=recipe(), seed=0, state=fresh)).state)
    )


def test_a_loss_that_is_not_finite_stops_before_the_update(toy_images):
    images, codes = few_labels(toy_images)
    steps = train(images, codes, num_classes=3, recipe=recipe(), seed=0)
    state = next(steps).state
    before = weights_of(state)
    next(state.discriminator.head.parameters()).register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(FloatingPointError, match="step 2: losses and gradient must be finite"):
        next(steps)
    assert equal(before, weights_of(state))


def test_no_label_at_all_is_refused(toy_images):
    images, codes = few_labels(toy_images, kept=0)
    with pytest.raises(BadInput, match="at least one with a label"):
        next(train(images, codes, num_classes=3, recipe=recipe(), seed=0))


def test_a_class_without_a_label_is_refused(toy_images):
    images, codes = few_labels(toy_images)
    with pytest.raises(ValueError, match="every class must have a record"):
        next(train(images, codes, num_classes=4, recipe=recipe(), seed=0))


@pytest.mark.parametrize("form", ["dense", "convolutional"])
def test_the_model_answers_alike_after_its_file_was_written_and_read(toy_images, tmp_path, form):
    images, codes = few_labels(toy_images)
    model = fit_semi_supervised(images, codes, num_classes=3, recipe=recipe(form=form, discriminator_width=4), seed=0)
    save_semi_supervised(tmp_path / "model.safetensors", model, classes=("a", "b", "c"), facts={})
    again, classes = load_semi_supervised(tmp_path / "model.safetensors")
    assert classes == ("a", "b", "c")
    for ask in ("probabilities", "features", "realness"):
        assert torch.equal(getattr(model, ask)(images), getattr(again, ask)(images))
    found = model.probabilities(images)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(len(images)))
    assert model.features(images).shape == (len(images), model.network.num_features)


def test_another_file_is_refused(tmp_path):
    weights.save(tmp_path / "other.safetensors", {"x": torch.zeros(1)}, {"kind": "other"})
    with pytest.raises(BadInput, match="expected a class-discriminator, got 'other'"):
        load_semi_supervised(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", 0, "at least 1"),
        ("batch_size", 1, "at least 2"),
        ("learning_rate", 0.0, "above 0"),
        ("beta1", 1.0, r"\[0, 1\)"),
        ("ema_decay", -0.1, r"\[0, 1\)"),
        ("hidden_noise", -1.0, "not be negative"),
        ("pull_away_weight", -1.0, "not be negative"),
    ],
)
def test_values_out_of_range_are_refused_by_name(key, value, words):
    with pytest.raises(ValueError, match=f"{key} must .*{words}"):
        recipe(**{key: value})
