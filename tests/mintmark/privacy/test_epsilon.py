import itertools

import numpy as np
import pytest
from scipy import stats

from mintmark.privacy.epsilon import bound_by_split, bound_of_guesses, epsilon_bound, guesses, p_value


def _all_right(num: int, *, delta: float = 0.0) -> float:
    return epsilon_bound(num_canaries=num, num_guesses=num, num_correct=num, delta=delta)


def _answers(epsilon: float, *, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Randomised response, which is exactly epsilon-private: each coin told truly with odds e^epsilon; and the coins."""
    included = rng.random(num) < 0.5
    true = rng.random(num) < 1 / (1 + np.exp(-epsilon))
    noise = rng.random(num)  # ranks among equal answers carry nothing
    return np.where(included == true, 1.0, -1.0) + 0.1 * noise, included


@pytest.mark.parametrize(("num", "bound"), [(250, 4.42), (500, 5.11), (1000, 5.81), (5000, 7.42)])
def test_all_guesses_right(num: int, bound: float) -> None:
    rate = 0.05 ** (1 / num)
    assert _all_right(num) == pytest.approx(np.log(rate / (1 - rate)), abs=1e-9)
    assert _all_right(num) == pytest.approx(bound, abs=0.005)


def test_pure_bound_is_the_log_odds_of_the_lower_end_of_clopper_and_pearson() -> None:
    rate = stats.binomtest(80, 100, alternative="greater").proportion_ci(0.95).low
    found = epsilon_bound(num_canaries=300, num_guesses=100, num_correct=80, delta=0.0)
    assert found == pytest.approx(np.log(rate / (1 - rate)), abs=1e-9)


def test_p_value_by_hand() -> None:
    """r = 2, q = 1/2, v = 2: P(W >= 2) = 1/4; one step below has mass 1/2, two steps 3/4, so the steepest is 1/2."""
    assert p_value(0.0, num_canaries=10, num_guesses=2, num_correct=2, delta=0.01) == pytest.approx(0.25 + 0.1)
    # q = 3/4, v = 1: P(W >= 1) = 15/16, and below lies 1/16
    found = p_value(np.log(3), num_canaries=3, num_guesses=2, num_correct=1, delta=0.01)
    assert found == pytest.approx(15 / 16 + 6 * 0.01 / 16)


def test_p_value_is_reached_by_a_mechanism_that_sometimes_tells_everything() -> None:
    """With probability d all m coins are published, else none: (0, d)-private. The theorem must allow for it."""
    num, delta = 200, 0.001
    guessed_by_luck = stats.binom.sf(num - 1, num, 0.5)
    allowed = p_value(0.0, num_canaries=num, num_guesses=num, num_correct=num, delta=delta)
    assert allowed >= delta + (1 - delta) * guessed_by_luck


def test_more_right_guesses_bound_more_and_delta_bounds_less() -> None:
    by_correct = [
        epsilon_bound(num_canaries=400, num_guesses=200, num_correct=v, delta=1e-5) for v in range(100, 201, 4)
    ]
    assert by_correct == sorted(by_correct)
    assert by_correct[0] == 0.0 < by_correct[-1]
    by_delta = [_all_right(1000, delta=delta) for delta in (0.0, 1e-7, 1e-6, 1e-5)]
    assert all(more > less for more, less in itertools.pairwise(by_delta))
    assert _all_right(1000, delta=0.9) == 0.0


def test_chance_bounds_nothing() -> None:
    assert epsilon_bound(num_canaries=1000, num_guesses=1000, num_correct=500, delta=0.0) == 0.0
    assert epsilon_bound(num_canaries=1000, num_guesses=0, num_correct=0, delta=1e-5) == 0.0


@pytest.mark.parametrize("delta", [0.0, 1e-5])
def test_bound_holds_and_is_tight_on_randomised_response(delta: float) -> None:
    rng = np.random.default_rng(0)
    drawn = [_answers(2.0, num=1000, rng=rng) for _ in range(400)]
    found = np.array([bound_of_guesses(*one, num_guesses=1000, delta=delta).epsilon for one in drawn])
    most = stats.binom.ppf(0.999, 400, 0.05)  # 5% of the runs, and sampling error
    assert (found > 2.0).sum() <= most
    assert np.median(found) > 0.8 * 2.0


def test_bound_by_split_holds_where_the_best_number_of_guesses_is_taken_on_it() -> None:
    rng = np.random.default_rng(1)
    epsilon, runs = 0.5, 400
    chosen, honest, best = 0, 0, 0
    for _ in range(runs):
        scores, included = _answers(epsilon, num=400, rng=rng)
        honest += bound_of_guesses(scores, included, num_guesses=200, delta=0.0).epsilon > epsilon
        chosen += bound_by_split({"score": scores}, included, delta=0.0, rng=rng).epsilon > epsilon
        looks = (bound_of_guesses(scores, included, num_guesses=r, delta=0.0).epsilon for r in range(10, 401, 10))
        best += max(looks) > epsilon
    most = stats.binom.ppf(0.999, runs, 0.05)
    assert honest <= most
    assert chosen <= most
    assert best > 2 * most  # the largest of many looks at the same scores is no bound


def test_split_finds_the_score_that_tells() -> None:
    rng = np.random.default_rng(2)
    scores, included = _answers(4.0, num=1000, rng=rng)
    found = bound_by_split({"noise": rng.random(1000), "told": scores}, included, delta=1e-5, rng=rng)
    assert found.by == "told"
    assert found.num_canaries == 500
    assert 2.0 < found.epsilon < 4.5


def test_guesses_by_rank() -> None:
    assert guesses(np.array([0.3, 0.9, 0.1, 0.5, 0.7]), 2).tolist() == [0, 1, -1, 0, 0]
    assert guesses(np.array([0.3, 0.9, 0.1, 0.5]), 4).tolist() == [-1, 1, -1, 1]
    assert guesses(np.array([0.3, 0.9]), 0).tolist() == [0, 0]


@pytest.mark.parametrize("num_guesses", [3, 6])
def test_guesses_refuse_odd_and_too_many(num_guesses: int) -> None:
    with pytest.raises(ValueError, match="even and at most 5"):
        guesses(np.zeros(5), num_guesses)


def test_bad_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3, 2 and 5"):
        epsilon_bound(num_canaries=5, num_guesses=2, num_correct=3, delta=0.0)
    with pytest.raises(ValueError, match="delta"):
        epsilon_bound(num_canaries=5, num_guesses=2, num_correct=1, delta=1.0)
    with pytest.raises(ValueError, match="8 canaries"):
        bound_by_split({"score": np.zeros(4)}, np.zeros(4, bool), delta=0.0, rng=np.random.default_rng(0))
