"""Private training equals the usual step where it may, keeps its fakes and its sign, and refuses what it cannot keep private."""

import copy
import itertools

import pytest
import torch

from mintmark.differential.accountant import Spending
from mintmark.differential.gradients import Noise
from mintmark.gan import checkpoint
from mintmark.gan.augmentation import NONE, Augmentation
from mintmark.gan.batches import Batch
from mintmark.gan.config import Adaptive
from mintmark.gan.losses import LOSSES
from mintmark.gan.private_training import TERMS, _update_discriminator, check_recipe, train
from mintmark.gan.state import initial_state

PRIVATE = {
    "loss": "hinge",
    "r1_weight": 0.0,
    "r2_weight": 0.0,
    "diversity_weight": 0.0,
    "augmentation": Augmentation(translation=0.125, cutout=0.0, colour=0.0),
}
SPENT = Spending(epsilon=1.0, delta=1e-3, noise_multiplier=1.0, max_grad_norm=0.5, sample_rate=0.2, steps=8)
OFF = Noise(0.0, 1e9, 12.0)


@pytest.fixture
def batches(toy_images):
    images, codes = toy_images(num=12).tensors()
    fakes = torch.rand((12, 1, 8, 8), generator=torch.Generator().manual_seed(1)) * 2 - 1
    return Batch(images, codes), Batch(fakes, codes.flip(0))


def fresh(config, seed=0):
    return initial_state((8, 8, 1), num_classes=3, config=config, seed=seed, device=torch.device("cpu"))


def gradients(network):
    return [parameter.grad.clone() for parameter in network.parameters()]


def last(steps):
    *_, step = steps
    return step


def weights_of(state):
    networks = (state.generator, state.discriminator, state.average)
    return [parameter.detach().clone() for network in networks for parameter in network.parameters()]


def equal(one, other):
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


@pytest.mark.parametrize("loss", sorted(TERMS))
def test_without_noise_and_cut_it_is_the_step_of_the_published_loss(tiny_config, batches, loss):
    config = tiny_config(**(PRIVATE | {"loss": loss, "augmentation": NONE}))
    state, (real, fake) = fresh(config), batches
    plain = copy.deepcopy(state.discriminator)
    LOSSES[loss].discriminator(plain(real.images, real.codes), plain(fake.images, fake.codes)).backward()
    value, real_logit, _ = _update_discriminator(state, real, fake, config, OFF)
    for private, expected in zip(gradients(state.discriminator), gradients(plain), strict=True):
        assert torch.allclose(private, expected, atol=1e-6)
    before = fresh(config).discriminator
    with torch.no_grad():
        expected_loss = LOSSES[loss].discriminator(before(real.images, real.codes), before(fake.images, fake.codes))
        assert real_logit == pytest.approx(float(before(real.images, real.codes).mean()), abs=1e-6)
    assert value == pytest.approx(float(expected_loss), rel=1e-5)


def test_the_fakes_gradient_is_neither_cut_nor_noised_nor_lost(tiny_config, batches):
    config = tiny_config(**(PRIVATE | {"augmentation": NONE}))
    _, fake = batches
    nobody = Batch(torch.zeros(0, 1, 8, 8), torch.zeros(0, dtype=torch.int64))
    state = fresh(config)
    plain = copy.deepcopy(state.discriminator)
    torch.relu(1 + plain(fake.images, fake.codes)).mean().backward()
    _update_discriminator(state, nobody, fake, config, Noise(0.0, 1e-9, 12.0))
    assert all(
        torch.allclose(one, other, atol=1e-7)
        for one, other in zip(gradients(state.discriminator), gradients(plain), strict=True)
    )


def test_steps_make_the_discriminator_prefer_real_records(toy_images, tiny_config):
    images, codes = toy_images(num=60).tensors()
    quiet = Spending(epsilon=1e9, delta=1e-3, noise_multiplier=1e-6, max_grad_norm=10.0, sample_rate=0.5, steps=40)
    config = tiny_config(**(PRIVATE | {"generator_learning_rate": 1e-9}))
    state = last(train(images, codes, config=config, spending=quiet, seed=0, num_classes=3)).state
    fakes = state.generator(torch.randn((60, 4), generator=torch.Generator().manual_seed(0)), codes)
    with torch.no_grad():
        real_logit, fake_logit = (state.discriminator(some, codes).mean().item() for some in (images, fakes))
    assert real_logit > fake_logit + 0.5


def test_training_ends_with_the_budget_repeats_itself_and_goes_on_to_the_same_weights(
    tmp_path, toy_images, tiny_config
):
    images, codes = toy_images().tensors()
    common = {"config": tiny_config(**PRIVATE), "spending": SPENT, "num_classes": 3}
    whole = last(train(images, codes, seed=3, **common))
    assert whole.number == SPENT.steps
    assert equal(weights_of(last(train(images, codes, seed=3, **common)).state), weights_of(whole.state))
    assert not equal(weights_of(last(train(images, codes, seed=4, **common)).state), weights_of(whole.state))
    paused = last(itertools.islice(train(images, codes, seed=3, **common), 5)).state
    checkpoint.save(tmp_path / "state.safetensors", paused, torch.zeros(0, 1, dtype=torch.float64))
    going_on = fresh(common["config"], seed=9)
    checkpoint.restore(tmp_path / "state.safetensors", going_on)
    assert equal(
        weights_of(last(train(images, codes, seed=0, state=going_on, **common)).state), weights_of(whole.state)
    )


def test_a_step_without_any_record_is_taken(toy_images, tiny_config):
    images, codes = toy_images().tensors()
    nobody = Spending(epsilon=0.1, delta=1e-3, noise_multiplier=1.0, max_grad_norm=1.0, sample_rate=1e-9, steps=2)
    taken = list(train(images, codes, config=tiny_config(**PRIVATE), spending=nobody, seed=0, num_classes=3))
    assert [step.real_logit for step in taken] == [0.0, 0.0]


def test_one_record_moves_the_gradient_by_no_more_than_the_bound(tiny_config, batches):
    config = tiny_config(**(PRIVATE | {"augmentation": NONE}))
    real, fake = batches
    found = []
    for some in (real, Batch(real.images[:-1], real.codes[:-1])):
        state = fresh(config)
        _update_discriminator(state, some, fake, config, Noise(0.0, 0.5, 1.0))
        found.append(torch.cat([one.flatten() for one in gradients(state.discriminator)]))
    assert 0.0 < float((found[0] - found[1]).norm()) <= 0.5 * (1 + 1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "relativistic"}, r"recipe\.loss must be one of"),
        ({"loss": "wasserstein", "lipschitz_weight": 10.0}, r"recipe\.loss must be one of"),
        ({"conditioning": "per_class"}, r"recipe\.conditioning must be projection"),
        ({"conditioning": "auxiliary"}, r"recipe\.conditioning must be projection"),
        ({"r1_weight": 0.1}, r"recipe\.r1_weight must be 0"),
        ({"r2_weight": 0.1}, r"recipe\.r2_weight must be 0"),
        ({"lipschitz_weight": 0.1}, r"recipe\.lipschitz_weight must be 0"),
        ({"diversity_weight": 1.0}, r"recipe\.diversity_weight must be 0"),
        ({"adaptive": Adaptive(target=0.6, interval=4, ramp=1000)}, r"recipe\.adaptive must be null"),
        ({"precision": "auto"}, r"recipe\.precision must be float32"),
    ],
)
def test_what_looks_past_the_noise_is_refused(tiny_config, changes, said):
    with pytest.raises(ValueError, match=said):
        check_recipe(tiny_config(**(PRIVATE | changes)))
