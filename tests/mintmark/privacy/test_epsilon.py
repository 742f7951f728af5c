"""The one-run bound on epsilon: closed forms, and its coverage where epsilon is known."""

import numpy as np
import pytest
from scipy import stats

from mintmark.privacy.epsilon import SHARES, chosen_epsilon_bound, epsilon_bound, num_right, p_value


@pytest.mark.parametrize("num", [250, 500, 1000, 5000])
def test_all_right_without_delta_has_a_closed_form(num: int):
    chance = 0.05 ** (1 / num)  # the largest probability of being right that all right refutes
    found = epsilon_bound(num, num_guesses=num, num_canaries=num, delta=0.0)
    assert found == pytest.approx(np.log(chance / (1 - chance)), abs=1e-6)
    assert found == pytest.approx({250: 4.42, 500: 5.11, 1000: 5.81, 5000: 7.42}[num], abs=0.01)


def test_the_correction_for_delta_by_hand():
    # r = 2 guesses, both right, epsilon 0: f(2) = 1/4, f(1) = 3/4, f(0) = 1; the largest of 1/2 and 3/8 is 1/2
    assert p_value(2, num_guesses=2, num_canaries=5, epsilon=0.0, delta=0.01) == pytest.approx(0.25 + 10 * 0.01 * 0.5)
    assert p_value(0, num_guesses=2, num_canaries=5, epsilon=1.0, delta=0.01) == 1.0


def test_more_right_raises_the_bound_and_delta_and_abstaining_lower_it():
    def bound(right: int, *, delta: float = 0.0, canaries: int = 200) -> float:
        return epsilon_bound(right, num_guesses=200, num_canaries=canaries, delta=delta)

    found = [bound(right) for right in (100, 120, 150, 190, 200)]
    assert found[0] == 0.0
    assert found == sorted(found)
    assert bound(190, delta=1e-4) < bound(190)
    assert bound(190, delta=1e-4, canaries=2000) < bound(190, delta=1e-4)


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="must rise from 0"):
        epsilon_bound(3, num_guesses=2, num_canaries=5, delta=0.0)


def test_guesses_take_both_ends_and_abstain_between():
    planted = np.array([False, True, False, True, True])
    scores = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    assert num_right(scores, planted, num_guesses=1) == 1
    assert num_right(scores, planted, num_guesses=4) == 3  # low: right, wrong; high: right, right
    assert num_right(-scores, planted, num_guesses=2) == 0


def randomised_response(rng: np.random.Generator, *, num: int, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores that tell each coin truly with probability e^epsilon / (1 + e^epsilon), in an order of their own."""
    planted = rng.random(num) < 0.5
    told = planted ^ (rng.random(num) > 1 / (1 + np.exp(-epsilon)))
    return told + 0.5 * rng.random(num), planted


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_the_bound_exceeds_the_truth_as_seldom_as_it_says(epsilon: float):
    rng = np.random.default_rng(0)
    wrong, repeats, bounds = 0, 400, []
    for _ in range(repeats):
        scores, planted = randomised_response(rng, num=400, epsilon=epsilon)
        right = num_right(scores, planted, num_guesses=200)
        bounds.append(epsilon_bound(right, num_guesses=200, num_canaries=400, delta=0.0))
        wrong += bounds[-1] > epsilon
    assert wrong / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)
    if epsilon:
        assert np.median(bounds) > 0.6 * epsilon


def test_choosing_on_a_half_keeps_the_level_and_on_the_same_scores_does_not():
    rng = np.random.default_rng(1)
    honest = flattering = 0
    for _ in range(100):
        planted = rng.random(200) < 0.5
        scores = rng.normal(size=(4, 200))
        honest += chosen_epsilon_bound(scores, planted, delta=0.0, level=0.95, rng=rng)[0] > 0.0
        flattering += (
            max(
                epsilon_bound(
                    num_right(sign * row, planted, num_guesses=round(share * 200)),
                    num_guesses=round(share * 200),
                    num_canaries=200,
                    delta=0.0,
                )
                for row in scores
                for sign in (1, -1)
                for share in SHARES
            )
            > 0.0
        )
    assert honest <= 5 + 3 * np.sqrt(100 * 0.05 * 0.95)
    assert flattering > 30


def test_the_better_attack_and_side_are_chosen():
    rng = np.random.default_rng(2)
    scores, planted = randomised_response(rng, num=1000, epsilon=3.0)
    both = np.stack([rng.normal(size=1000), -scores])
    bound, guesses, right = chosen_epsilon_bound(both, planted, delta=1e-5, level=0.95, rng=rng)
    assert 2.0 < bound < 3.0
    assert right / guesses == pytest.approx(1 / (1 + np.exp(-3.0)), abs=0.05)


def test_a_gaussian_mechanism_stays_below_its_epsilon():
    """One Gaussian answer a coin, of sensitivity 2 and noise 4: the exact epsilon at delta 1e-3 (Balle and Wang 2018)."""
    delta, ratio = 1e-3, 2.0 / 4.0

    def exact_delta(epsilon: float) -> float:
        shift = epsilon / ratio
        return float(stats.norm.cdf(ratio / 2 - shift) - np.exp(epsilon) * stats.norm.cdf(-ratio / 2 - shift))

    grid = np.linspace(0.0, 5.0, 5001)
    truth = float(grid[np.argmax([exact_delta(one) <= delta for one in grid])])
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(200):
        planted = rng.random(1000) < 0.5
        scores = np.where(planted, 1.0, -1.0) + rng.normal(0.0, 4.0, 1000)
        bound = chosen_epsilon_bound(scores[None], planted, delta=delta, level=0.95, rng=rng)[0]
        wrong += bound > truth
    assert wrong <= 10 + 3 * np.sqrt(200 * 0.05 * 0.95)
