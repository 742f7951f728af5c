import copy
import itertools

import pytest
import torch

from mintmark.gan import checkpoint
from mintmark.gan.augmentation import Augmentation
from mintmark.gan.losses import LOSSES
from mintmark.gan.networks import Discriminator
from mintmark.gan.state import initial_state
from mintmark.gan.training import train


def weights_of(state):
    networks = (state.generator, state.discriminator, state.average)
    return [parameter.detach().clone() for network in networks for parameter in network.parameters()]


def equal(one, other):
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


def last(steps, number):
    return next(itertools.islice(steps, number - 1, None))


def test_the_same_seed_gives_the_same_weights_and_another_does_not(toy_images, tiny_config):
    images, codes = toy_images().tensors()
    runs = [weights_of(last(train(images, codes, config=tiny_config(), seed=seed), 4).state) for seed in (1, 1, 2)]
    assert equal(runs[0], runs[1])
    assert not equal(runs[0], runs[2])


def test_the_global_random_state_is_neither_read_nor_moved(toy_images, tiny_config):
    images, codes = toy_images().tensors()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = last(train(images, codes, config=tiny_config(), seed=1), 2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    other = last(train(images, codes, config=tiny_config(), seed=1), 2)
    assert equal(weights_of(one.state), weights_of(other.state))


def test_steps_count_from_one_and_carry_the_live_state(toy_images, tiny_config):
    images, codes = toy_images().tensors()
    steps = list(itertools.islice(train(images, codes, config=tiny_config(), seed=0), 3))
    assert [step.number for step in steps] == [1, 2, 3]
    assert all(step.state is steps[0].state for step in steps)


def test_going_on_from_a_copied_state_equals_never_stopping(toy_images, tiny_config):
    images, codes = toy_images().tensors()
    endless = train(images, codes, config=tiny_config(), seed=3)
    paused = last(endless, 3).state
    fresh = initial_state((8, 8, 1), num_classes=3, config=tiny_config(), seed=99, device=torch.device("cpu"))
    for name in ("generator", "discriminator", "average", "generator_optimizer", "discriminator_optimizer"):
        getattr(fresh, name).load_state_dict(copy.deepcopy(getattr(paused, name).state_dict()))
    fresh.rng.set_state(paused.rng.get_state())
    for name in checkpoint.NUMBERS:
        setattr(fresh, name, getattr(paused, name))
    on = last(train(images, codes, config=tiny_config(), seed=3, state=fresh), 3)
    straight = last(endless, 3)
    assert on.number == straight.number == 6
    assert on.penalty == straight.penalty
    assert equal(weights_of(on.state), weights_of(straight.state))


@pytest.mark.parametrize("ema_decay", [0.0, 0.5, 0.99])
def test_the_average_follows_its_formula_over_every_step(toy_images, tiny_config, ema_decay):
    images, codes = toy_images().tensors()
    config = tiny_config(ema_decay=ema_decay)
    state = initial_state((8, 8, 1), num_classes=3, config=config, seed=0, device=torch.device("cpu"))
    expected = [parameter.detach().clone() for parameter in state.generator.parameters()]
    for step in itertools.islice(train(images, codes, config=config, seed=0, state=state), 5):
        decay = min(ema_decay, step.number / (step.number + 10))
        present = state.generator.parameters()
        expected = [decay * kept + (1 - decay) * new.detach() for kept, new in zip(expected, present, strict=True)]
        for kept, wanted in zip(state.average.parameters(), expected, strict=True):
            torch.testing.assert_close(kept, wanted, atol=1e-6, rtol=1e-5)


def test_the_penalty_is_taken_at_its_interval_only(toy_images, tiny_config):
    images, codes = toy_images().tensors()
    steps = train(images, codes, config=tiny_config(penalty_interval=3), seed=0)
    penalties = [step.penalty for step in itertools.islice(steps, 7)]
    assert penalties[0] == penalties[1] == penalties[2] != penalties[3]
    assert penalties[3] == penalties[4] == penalties[5] != penalties[6]
    assert min(penalties) > 0


def test_the_first_update_equals_adam_on_the_published_loss(toy_images, tiny_config):
    """Without augmentation or penalty, against a straightforward second implementation."""
    images, codes = toy_images(num=12).tensors()
    off = Augmentation(translation=0.0, cutout=0.0, colour=0.0)
    config = tiny_config(augmentation=off, r1_weight=0.0, r2_weight=0.0, diversity_weight=0.0, batch_size=3)
    state = initial_state((8, 8, 1), num_classes=3, config=config, seed=0, device=torch.device("cpu"))
    reference = copy.deepcopy((state.generator, state.discriminator))
    rng = torch.Generator()
    rng.set_state(state.rng.get_state())
    step = next(train(images, codes, config=config, seed=0, state=state))
    order = torch.randperm(3, generator=rng)[:1]
    wanted = order.repeat(3)
    places = (torch.rand(3, generator=rng, dtype=torch.float64) * 4).long()
    real = torch.stack([images[codes == code][place] for code, place in zip(wanted, places, strict=True)])
    fake = reference[0](torch.randn((3, 4), generator=rng), wanted)
    loss = -torch.nn.functional.logsigmoid(reference[1](real, wanted) - reference[1](fake, wanted)).mean()
    assert step.discriminator_loss == pytest.approx(loss.item(), rel=1e-5)
    gradients = torch.autograd.grad(loss, list(reference[1].parameters()))
    compared = 0
    for moved, old, gradient in zip(
        state.discriminator.parameters(), reference[1].parameters(), gradients, strict=True
    ):
        # Adam's first step is the learning rate times the sign, softened by epsilon
        clear = gradient.abs() > 1e-6
        expected = old - 2e-3 * gradient / (gradient.abs() + 1e-8)
        compared += int(clear.sum())
        torch.testing.assert_close(moved[clear], expected[clear], atol=2e-5, rtol=0)
    assert compared > 500


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_loss_and_precision_moves_every_parameter(toy_images, tiny_config, loss, precision):
    images, codes = toy_images(channels=3).tensors()
    config = tiny_config(loss=loss, precision=precision)
    state = initial_state((8, 8, 3), num_classes=3, config=config, seed=0, device=torch.device("cpu"))
    before = weights_of(state)
    last(train(images, codes, config=config, seed=0, state=state), 2)
    after = weights_of(state)
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert all(one.dtype == torch.float32 and one.isfinite().all() for one in after)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (64, 64, 3), (9, 14, 2), (11, 8, 4)])
def test_a_few_steps_run_at_any_shape(tiny_config, shape):
    height, width, channels = shape
    images = torch.rand((4, channels, height, width)) * 2 - 1
    config = tiny_config(generator_width=2, discriminator_width=2, batch_size=4)
    step = last(train(images, torch.tensor([0, 1, 0, 1]), config=config, seed=0), 2)
    assert step.state.average.shape == shape


@pytest.mark.parametrize(("num", "num_classes", "batch_size"), [(1, 1, 12), (3, 3, 12), (60, 1, 1), (40, 20, 7)])
def test_one_class_one_record_and_small_batches_train(toy_images, tiny_config, num, num_classes, batch_size):
    images, codes = toy_images(num=num, num_classes=num_classes).tensors()
    step = last(train(images, codes, config=tiny_config(batch_size=batch_size), seed=0), 2)
    assert all(parameter.isfinite().all() for parameter in step.state.generator.parameters())


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_loss_that_is_not_finite_stops_before_the_update(toy_images, tiny_config, monkeypatch, player):
    images, codes = toy_images().tensors()
    steps = train(images, codes, config=tiny_config(), seed=0)
    state = last(steps, 2).state
    network = getattr(state, player)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    broken = LOSSES["relativistic"]._replace(**{player: lambda real, fake: (fake - real).mean() * torch.inf})
    monkeypatch.setitem(LOSSES, "relativistic", broken)
    with pytest.raises(FloatingPointError, match=f"step 3: {player} loss must be finite"):
        next(steps)
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
    assert state.step == 2


def test_a_gradient_that_is_not_finite_stops_before_the_update(toy_images, tiny_config):
    images, codes = toy_images().tensors()
    steps = train(images, codes, config=tiny_config(), seed=0)
    discriminator = last(steps, 2).state.discriminator
    before = [parameter.detach().clone() for parameter in discriminator.parameters()]
    assert isinstance(discriminator, Discriminator)
    discriminator.psi.weight.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(FloatingPointError, match="step 3: discriminator loss must be finite with a finite gradient"):
        next(steps)
    assert all(torch.equal(old, new) for old, new in zip(before, discriminator.parameters(), strict=True))


def test_it_learns_where_each_class_has_its_square(toy_images, tiny_config):
    """Generated images of a class resemble that class most: the nearest class mean is their own."""
    images, codes = toy_images(num=90).tensors()
    config = tiny_config(generator_width=8, discriminator_width=8, batch_size=24)
    state = last(train(images, codes, config=config, seed=0), 200).state
    means = torch.stack([images[codes == code].mean(dim=0) for code in range(3)]).flatten(1)
    wanted = torch.arange(3).repeat(50)
    with torch.no_grad():
        drawn = state.average(torch.randn((150, 4), generator=torch.Generator().manual_seed(0)), wanted).flatten(1)
    hits = (torch.cdist(drawn, means).argmin(dim=1) == wanted).float().mean()
    assert hits > 0.95
    assert isinstance(state.discriminator, Discriminator)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("batch_size", 0, "at least 1"),
        ("penalty_interval", 0, "at least 1"),
        ("generator_learning_rate", 0.0, "above 0"),
        ("beta2", 1.0, r"\[0, 1\)"),
        ("ema_decay", -0.1, r"\[0, 1\)"),
        ("r1_weight", -1.0, "not be negative"),
        ("diversity_weight", -1.0, "not be negative"),
    ],
)
def test_values_out_of_range_are_refused_by_name(tiny_config, key, value, words):
    with pytest.raises(ValueError, match=f"{key} must .*{words}"):
        tiny_config(**{key: value})
