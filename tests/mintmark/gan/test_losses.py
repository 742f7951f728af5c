import math

import numpy as np
import pytest
import torch
from scipy import stats

from mintmark.gan.losses import (
    LOSSES,
    between,
    class_energy_distance,
    hinge_discriminator,
    linear_generator,
    lipschitz_penalty,
    non_saturating_discriminator,
    non_saturating_generator,
    relativistic_discriminator,
    relativistic_generator,
    squared_slopes,
    twin_generator,
    wasserstein_discriminator,
)

REAL, FAKE = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])


def softplus(value):
    return math.log1p(math.exp(value))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (relativistic_discriminator, (softplus(-1) + softplus(2)) / 2),
        (relativistic_generator, (softplus(1) + softplus(-2)) / 2),
        (non_saturating_discriminator, (softplus(-1) + softplus(0)) / 2 + (softplus(0) + softplus(2)) / 2),
        (non_saturating_generator, (softplus(0) + softplus(-2)) / 2),
        (hinge_discriminator, (0 + 1) / 2 + (1 + 3) / 2),
        (wasserstein_discriminator, 1 - 0.5),
        (linear_generator, -1.0),
    ],
)
def test_losses_equal_their_formulas_by_hand(loss, expected):
    assert loss(REAL, FAKE).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_gains_what_it_should(name):
    losses = LOSSES[name]
    apart, together = torch.tensor([3.0]), torch.tensor([-3.0])
    assert losses.discriminator(apart, together) < losses.discriminator(together, apart)
    assert losses.generator(apart, together) > losses.generator(apart, apart)


def test_the_hinge_asks_for_no_more_than_its_margin():
    assert hinge_discriminator(torch.tensor([1.5]), torch.tensor([-7.0])).item() == 0


def test_the_twin_takes_back_what_easy_images_gain():
    codes = torch.tensor([0, 1])
    sure, unsure = torch.tensor([[9.0, 0.0], [0.0, 9.0]]), torch.zeros(2, 2)
    assert twin_generator(unsure, unsure, codes).item() == 0
    assert twin_generator(sure, unsure, codes).item() == pytest.approx(math.log1p(math.exp(-9)) - math.log(2), abs=1e-6)
    assert twin_generator(sure, sure, codes).item() == 0  # no reward for what the fakes already are


def test_the_lipschitz_penalty_is_zero_at_slope_one_and_has_a_gradient_everywhere():
    squares = torch.tensor([1.0, 4.0, 0.0], requires_grad=True)
    penalty = lipschitz_penalty(squares)
    penalty.backward()
    assert penalty.item() == pytest.approx((0 + 1 + 1) / 3, abs=1e-5)
    assert squares.grad is not None
    assert squares.grad.isfinite().all()


def test_points_between_lie_at_their_shares():
    real, fake = torch.full((3, 1, 1, 2), 4.0), torch.zeros((3, 1, 1, 2))
    found = between(real, fake, torch.tensor([0.0, 0.25, 1.0]))
    assert found[:, 0, 0].tolist() == [[0.0, 0.0], [1.0, 1.0], [4.0, 4.0]]


def test_the_penalty_of_a_linear_critic_is_its_squared_weight():
    weight = torch.tensor([[[1.0, 2.0], [-3.0, 0.5]]])
    images = torch.randn(5, 1, 2, 2, requires_grad=True)
    penalty = squared_slopes((images * weight).sum(dim=(1, 2, 3)), images).mean()
    assert penalty.item() == pytest.approx(1 + 4 + 9 + 0.25, abs=1e-5)


def test_the_penalty_agrees_with_finite_differences_and_can_be_differentiated():
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    images = torch.randn(3, 1, 2, 2, dtype=torch.float64, requires_grad=True)

    def critic(points):
        return torch.sin(scale * points).sum(dim=(1, 2, 3))

    penalty = squared_slopes(critic(images), images).mean()
    small, squared = 1e-6, 0.0
    for row, place in torch.cartesian_prod(torch.arange(3), torch.arange(4)).tolist():
        nudge = torch.zeros_like(images)
        nudge[row].view(-1)[place] = small
        squared += ((critic(images + nudge) - critic(images - nudge))[row] / (2 * small)).item() ** 2
    assert penalty.item() == pytest.approx(squared / 3, rel=1e-6)
    penalty.backward()
    cosine, sine = torch.cos(scale * images), torch.sin(scale * images)
    expected = (2 * scale * cosine**2 - 2 * scale**2 * cosine * sine * images).sum() / 3
    assert scale.grad is not None
    assert scale.grad.item() == pytest.approx(expected.item(), rel=1e-9)


def test_the_energy_distance_by_hand_within_one_class():
    real, fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [4.0]])
    # 2 across, 2 within the real pair, 4 within the fake one: twice 2, less 2, less 4, over 2
    assert class_energy_distance(real, fake, torch.tensor([0, 0])).item() == pytest.approx(-1.0, abs=2e-3)


def test_the_energy_distance_averages_classes_and_ignores_those_that_appear_once():
    real, fake = (
        torch.tensor([[0.0], [2.0], [10.0], [13.0], [99.0]]),
        torch.tensor([[0.0], [4.0], [10.0], [10.0], [0.0]]),
    )
    # first class as above; second: 2 * 1.5 - 3 - 0 = 0; spreads 2 and 3
    found = class_energy_distance(real, fake, torch.tensor([0, 0, 2, 2, 1]))
    assert found.item() == pytest.approx(-2.0 / 5.0, abs=2e-3)


def test_the_energy_distance_agrees_with_scipy_on_many_points_of_one_class():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=800), rng.normal(0.5, 2.0, size=800)
    expected = stats.energy_distance(real, fake) ** 2  # SciPy's is the root of it, halves the squared form alike
    spread = np.abs(real[:, None] - real[None]).sum() / (800 * 799)
    points = torch.from_numpy(np.stack([real, fake]))[:, :, None]
    found = class_energy_distance(points[0], points[1], torch.zeros(800, dtype=torch.int64))
    assert found.item() * spread == pytest.approx(expected, rel=0.02)


def test_a_collapsed_class_is_pushed_apart():
    real = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    fake = (real.mean(dim=0) + 0.01 * torch.randn(8, 3, generator=generator)).requires_grad_()
    codes = torch.zeros(8, dtype=torch.int64)
    class_energy_distance(real, fake, codes).backward()
    moved = (fake - 0.1 * fake.grad).detach()  # type: ignore[operator]
    assert moved.var(dim=0).sum() > 1.5 * fake.detach().var(dim=0).sum()


def test_batches_without_a_pair_have_no_energy_distance_and_no_gradient():
    fake = torch.randn(3, 2, requires_grad=True)
    found = class_energy_distance(torch.randn(3, 2), fake, torch.tensor([0, 1, 2]))
    found.backward()
    assert found.item() == 0
    assert fake.grad is not None
    assert fake.grad.abs().max() == 0
