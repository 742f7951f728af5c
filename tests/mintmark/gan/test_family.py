"""Every choice of the recipe, through the same trainer."""

import itertools

import pytest
import torch

from mintmark.gan import checkpoint
from mintmark.gan.config import Adaptive
from mintmark.gan.family import DISCRIMINATORS, GENERATORS
from mintmark.gan.losses import LOSSES
from mintmark.gan.model import load_discriminator, load_generator, save_discriminator, save_generator
from mintmark.gan.state import initial_state
from mintmark.gan.training import _adapt, train

CHOICES = {
    "hinge": {"loss": "hinge"},
    "wasserstein": {"loss": "wasserstein", "r1_weight": 0.0, "r2_weight": 0.0, "lipschitz_weight": 10.0},
    "auxiliary": {"conditioning": "auxiliary"},
    "per_class": {"conditioning": "per_class"},
    "adaptive": {"loss": "non-saturating", "adaptive": Adaptive(target=0.1, interval=2, ramp=100)},
}
CPU = torch.device("cpu")


def fresh(config, seed=0):
    return initial_state((8, 8, 1), num_classes=3, config=config, seed=seed, device=CPU)


def parameters(state):
    networks = (state.generator, state.discriminator, state.average)
    return [one for network in networks for one in network.parameters()]


@pytest.mark.parametrize("choice", CHOICES)
def test_it_learns_where_each_class_has_its_square(toy_images, tiny_config, choice):
    """The nearest class mean of a generated image is its own class's."""
    images, codes = toy_images(num=90).tensors()
    config = tiny_config(**({"generator_width": 8, "discriminator_width": 8, "batch_size": 24} | CHOICES[choice]))
    step = next(itertools.islice(train(images, codes, config=config, seed=0), 199, None))
    means = torch.stack([images[codes == code].mean(dim=0) for code in range(3)]).flatten(1)
    wanted = torch.arange(3).repeat(50)
    with torch.no_grad():
        latents = torch.randn((150, 4), generator=torch.Generator().manual_seed(0))
        drawn = step.state.average(latents, wanted).flatten(1)
    assert (torch.cdist(drawn, means).argmin(dim=1) == wanted).float().mean() > 0.9


@pytest.mark.parametrize("choice", CHOICES)
def test_a_restored_training_ends_at_the_same_bits(tmp_path, toy_images, tiny_config, choice):
    images, codes = toy_images().tensors()
    config, path = tiny_config(**CHOICES[choice]), tmp_path / "checkpoint.safetensors"
    state, restored = fresh(config), fresh(config, seed=7)
    steps = train(images, codes, config=config, seed=0, state=state)
    next(itertools.islice(steps, 2, None))  # an odd number, amid two adjustments
    history = torch.zeros((1, 2), dtype=torch.float64)
    checkpoint.save(path, state, history)
    checkpoint.restore(path, restored)
    again = train(images, codes, config=config, seed=7, state=restored)
    for one, other in itertools.islice(zip(steps, again, strict=False), 4):
        assert (one.generator_loss, one.penalty, one.probability) == (
            other.generator_loss,
            other.penalty,
            other.probability,
        )
    assert all(torch.equal(left, right) for left, right in zip(parameters(state), parameters(restored), strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("choice", CHOICES)
def test_every_parameter_moves_and_stays_finite(toy_images, tiny_config, choice, precision):
    images, codes = toy_images(channels=3).tensors()
    config = tiny_config(**CHOICES[choice], precision=precision)
    state = initial_state((8, 8, 3), num_classes=3, config=config, seed=0, device=CPU)
    before = [one.detach().clone() for one in parameters(state)]
    next(itertools.islice(train(images, codes, config=config, seed=0, state=state), 2, None))
    moved = [not torch.equal(old, new) for old, new in zip(before, parameters(state), strict=True)]
    assert all(moved)
    assert all(one.isfinite().all() for one in parameters(state))


@pytest.mark.parametrize("conditioning", GENERATORS)
def test_both_networks_come_back_from_their_files_alone(tmp_path, conditioning):
    torch.manual_seed(0)
    generator = GENERATORS[conditioning](shape=(9, 12, 3), num_classes=3, latent_size=5, width=2)
    discriminator = DISCRIMINATORS[conditioning](shape=(9, 12, 3), num_classes=3, width=2)
    classes = ("ok", "scratch", "dent")
    save_generator(tmp_path / "g.safetensors", generator, classes=classes, facts={})
    save_discriminator(tmp_path / "d.safetensors", discriminator, classes=classes, facts={})
    latents, codes = torch.randn(4, 5), torch.tensor([0, 2, 1, 2])
    images = generator(latents, codes)
    drawn, judge = load_generator(tmp_path / "g.safetensors"), load_discriminator(tmp_path / "d.safetensors")
    assert drawn.classes == judge.classes == classes
    assert torch.equal(drawn.network(latents, codes), images)
    assert torch.equal(judge.network(images, codes), discriminator(images, codes))
    assert torch.equal(judge.network.features(images), discriminator.features(images))


def test_the_logit_of_an_auxiliary_discriminator_is_the_joint_log_ratio():
    torch.manual_seed(0)
    discriminator = DISCRIMINATORS["auxiliary"](shape=(8, 8, 1), num_classes=3, width=2)
    images, codes = torch.rand(4, 1, 8, 8), torch.tensor([2, 0, 1, 1])
    view = discriminator.view(images, codes)
    assert view.class_logits is not None
    assert view.twin_logits is not None
    real, fake = view.class_logits.softmax(dim=1), view.twin_logits.softmax(dim=1)
    expected = [
        logit + torch.log(one[code] / other[code])
        for logit, one, other, code in zip(view.logits, real, fake, codes, strict=True)
    ]
    torch.testing.assert_close(discriminator(images, codes), torch.stack(expected))


def steps_of(toy_images, config, num):
    images, codes = toy_images().tensors()
    return list(itertools.islice(train(images, codes, config=config, seed=0), num))


def test_the_probability_climbs_while_the_sign_lies_above_its_target_and_falls_below_it(tiny_config):
    """By interval * batch size / ramp = 2 * 12 / 100, every two steps."""
    config = tiny_config(loss="hinge", adaptive=Adaptive(target=0.6, interval=2, ramp=100))
    state, found = fresh(config), []
    for sign in (0.5, 0.9, 1.0, 1.0, 0.9, 0.1):  # means of 0.7, 1 and 0.5
        state.step += 1
        _adapt(state, sign, config)
        found.append(state.probability)
    assert found == pytest.approx([0, 0.24, 0.24, 0.48, 0.48, 0.24])


def test_the_probability_never_leaves_its_range(toy_images, tiny_config):
    config = tiny_config(loss="non-saturating", adaptive=Adaptive(target=-0.99, interval=1, ramp=5))
    assert [step.probability for step in steps_of(toy_images, config, 4)] == [0.0, 1.0, 1.0, 1.0]


def test_without_adaptation_every_image_is_augmented(toy_images, tiny_config):
    assert [step.probability for step in steps_of(toy_images, tiny_config(), 2)] == [1.0, 1.0]


@pytest.mark.parametrize("loss", [name for name, losses in LOSSES.items() if not losses.has_zero])
def test_adaptation_is_refused_where_a_sign_means_nothing(tiny_config, loss):
    with pytest.raises(ValueError, match=f"adaptive must be null where the loss is {loss}.*non-saturating or hinge"):
        tiny_config(loss=loss, lipschitz_weight=1.0, adaptive=Adaptive(target=0.6, interval=4, ramp=1000))


def test_a_critic_without_any_penalty_is_refused(tiny_config):
    with pytest.raises(ValueError, match="lipschitz_weight must be above 0"):
        tiny_config(loss="wasserstein", r1_weight=0.0, r2_weight=0.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": 1.0}, "target must lie between -1 and 1, got 1.0"),
        ({"interval": 0}, "interval must be at least 1, got 0"),
        ({"ramp": 0}, "ramp must be at least 1, got 0"),
    ],
)
def test_adaptation_out_of_range_is_refused_by_name(changes, words):
    with pytest.raises(ValueError, match=words):
        Adaptive(**({"target": 0.6, "interval": 4, "ramp": 100} | changes))
