"""Stopping: planned looks keep the error rate where peeking does not; seeds are added only while they could tell."""

import numpy as np
import pytest

from mintmark.utility.comparison import advantage, difference
from mintmark.utility.stopping import Looks, why_stop

LOOKS = Looks((5, 10, 15, 20))


def trial(rng: np.random.Generator, *, of_seeds: float, num_records: int = 40) -> np.ndarray:
    """Differences of two equal arms, within -1..1, for the whole budget of seeds: mostly the seeds' doing, or the records'."""
    of_records = 0.1
    values = rng.normal(0, of_seeds, (LOOKS.budget, 1)) + rng.normal(0, of_records, (1, num_records))
    return (values + rng.normal(0, 0.05, (LOOKS.budget, num_records))).clip(-1, 1)


def ever_errs(values: np.ndarray, numbers: list[int], levels: list[float]) -> bool:
    """Whether the interval leaves out the true difference, zero, at any of the looks."""
    nothing = np.zeros_like(values)
    found = [difference(values[:num], nothing[:num], level=level) for num, level in zip(numbers, levels, strict=True)]
    return any(not one.low <= 0 <= one.high for one in found)


@pytest.mark.parametrize("of_seeds", [0.01, 0.2])
def test_all_planned_looks_together_err_no_more_often_than_promised(of_seeds: float):
    """In 600 trials 5% are 30; three standard deviations more are 46."""
    rng = np.random.default_rng(0)
    levels = [LOOKS.level(look) for look in range(len(LOOKS))]
    errors = sum(ever_errs(trial(rng, of_seeds=of_seeds), list(LOOKS.seeds), levels) for _ in range(600))
    assert errors <= 46


def test_peeking_after_every_seed_errs_far_more_often_than_promised():
    """The same trials, the interval of one look at each number of seeds: twice the promised rate and more."""
    rng = np.random.default_rng(0)
    numbers = list(range(5, LOOKS.budget + 1))
    errors = sum(ever_errs(trial(rng, of_seeds=0.2), numbers, [0.95] * len(numbers)) for _ in range(600))
    assert errors >= 60


def test_the_looks_share_the_whole_error_rate_and_no_more():
    assert sum(LOOKS.spent(look) for look in range(4)) == pytest.approx(1.0)
    assert LOOKS.level(0) == pytest.approx(0.9875)
    assert Looks((8,)).level(0) == pytest.approx(0.95)
    assert Looks((8, 12)).level(1) == pytest.approx(1 - 0.05 / 3)


def test_a_p_value_is_corrected_as_the_level_is():
    assert LOOKS.correct(0.0124, 0) < 0.05 < LOOKS.correct(0.0126, 0)
    assert LOOKS.correct(0.5, 0) == 1.0


@pytest.mark.parametrize("seeds", [(), (4, 8), (8, 8), (8, 5)])
def test_looks_that_do_not_rise_from_five_on_are_refused(seeds):
    with pytest.raises(ValueError, match="looks must be rising numbers of seeds from 5 on"):
        Looks(seeds)


def arms(rng: np.random.Generator, *, gain: float, of_seeds: float, num_records: int) -> dict[str, np.ndarray]:
    """A candidate and its rivals, over five seeds; seeds shift the candidate as a whole."""
    difficulty = rng.random((1, num_records))
    shifts = np.linspace(-of_seeds, of_seeds, 5)[:, None]
    rivals = {name: np.tile((difficulty < 0.8).astype(float), (5, 1)) for name in ("real", "augmented")}
    return {"candidate": (difficulty < 0.8 + gain + shifts).astype(float), **rivals}


def reason(outcomes: dict[str, np.ndarray], *, margin: float = 0.005, look: int = 0, passed: bool = True):
    rivals = {name: outcomes[name] for name in ("real", "augmented")}
    names = {"best_rival": "real", "margin": margin}
    found = advantage(outcomes["candidate"], rivals, level=LOOKS.level(look), **names)  # pyright: ignore[reportArgumentType]
    return why_stop(found, outcomes["candidate"], rivals, look=look, looks=LOOKS, controls_passed=passed, **names)  # pyright: ignore[reportArgumentType]


def test_a_clear_gain_a_clear_loss_and_a_clear_nothing_are_answers():
    rng = np.random.default_rng(1)
    for gain in (0.1, -0.1):
        assert reason(arms(rng, gain=gain, of_seeds=0.0, num_records=1000)) == "answered"
    assert reason(arms(rng, gain=0.0, of_seeds=0.0, num_records=5000), margin=0.05) == "answered"


def test_without_its_controls_nothing_is_answered():
    outcomes = arms(np.random.default_rng(1), gain=0.1, of_seeds=0.0, num_records=1000)
    assert reason(outcomes, passed=False) is None
    assert reason(outcomes, passed=False, look=3) == "budget spent"


def test_where_seeds_leave_the_doubt_more_are_added():
    outcomes = arms(np.random.default_rng(2), gain=0.05, of_seeds=0.1, num_records=5000)
    assert reason(outcomes) is None
    assert reason(outcomes, look=3) == "budget spent"


def test_where_the_test_records_leave_the_doubt_no_more_are_added():
    """Seeds that agree entirely on twenty records: more of them would say the same."""
    outcomes = arms(np.random.default_rng(3), gain=0.05, of_seeds=0.0, num_records=20)
    assert reason(outcomes) == "more seeds would not tell"
