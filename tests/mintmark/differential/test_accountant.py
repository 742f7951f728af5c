"""The accountant agrees with a closed form and with a second accountant, and the noise is the least that will do."""

import math

import pytest
from scipy import optimize, stats

from mintmark.differential.accountant import Budget, spending, spent

BUDGET = Budget(epsilon=2.0, delta=1e-5, max_grad_norm=1.0)


def gaussian_epsilon(sigma: float, delta: float) -> float:
    """Of one full-batch Gaussian step, exactly (Balle and Wang 2018, theorem 8)."""

    def excess(epsilon: float) -> float:
        left = stats.norm.cdf(0.5 / sigma - epsilon * sigma)
        return left - math.exp(epsilon) * stats.norm.cdf(-0.5 / sigma - epsilon * sigma) - delta

    return optimize.brentq(excess, 0.0, 50.0)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 5.0])
def test_one_full_batch_step_is_the_gaussian_mechanism_from_above(sigma):
    exact = gaussian_epsilon(sigma, 1e-5)
    assert exact <= spent(noise_multiplier=sigma, sample_rate=1.0, steps=1, delta=1e-5) <= 1.25 * exact


def test_many_sampled_steps_agree_with_the_numerical_accountant():
    from opacus.accountants import PRVAccountant

    numerical = PRVAccountant()
    numerical.history = [(1.1, 0.05, 400)]
    epsilon = numerical.get_epsilon(delta=1e-5)
    assert epsilon <= spent(noise_multiplier=1.1, sample_rate=0.05, steps=400, delta=1e-5) <= 1.25 * epsilon


def test_the_noise_keeps_the_budget_and_hardly_less_would():
    found = spending(BUDGET, num_records=1000, batch_size=50, steps=200)
    assert found.sample_rate == 0.05
    assert found.steps == 200
    assert 1.99 <= found.epsilon <= 2.0
    less = spent(noise_multiplier=0.98 * found.noise_multiplier, sample_rate=0.05, steps=200, delta=1e-5)
    assert less > 2.0


def test_a_batch_larger_than_the_records_takes_them_all():
    assert spending(BUDGET, num_records=100, batch_size=128, steps=2).sample_rate == 1.0


def test_a_small_epsilon_needs_orders_beyond_the_usual():
    found = spending(Budget(epsilon=0.05, delta=1e-5, max_grad_norm=1.0), num_records=1000, batch_size=10, steps=10)
    assert found.epsilon <= 0.05


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epsilon": 0.0}, "epsilon must be above 0"),
        ({"max_grad_norm": -1.0}, "max_grad_norm must be above 0"),
        ({"delta": 1.0}, "delta must lie between 0 and 1"),
    ],
)
def test_a_budget_that_is_none_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        Budget(**({"epsilon": 1.0, "delta": 1e-5, "max_grad_norm": 1.0} | changes))


def test_a_delta_that_would_let_whole_records_out_is_refused():
    with pytest.raises(ValueError, match="below 1/50"):
        spending(Budget(epsilon=1.0, delta=0.02, max_grad_norm=1.0), num_records=50, batch_size=5, steps=5)


def test_the_measurement_says_what_it_means():
    found = spending(BUDGET, num_records=1000, batch_size=50, steps=5).measurement(num_records=1000)
    assert (found.name, found.n) == ("epsilon", 1000)
    assert "1e-05" in found.note
