"""A release beside its floor: perfect, shifted, collapsed and copied releases, whose figures are known."""

import numpy as np
import pytest
import torch

from mintmark.fidelity.comparison import MEASURES, Comparison, Party, compare_parties
from mintmark.fidelity.coverage import compare
from mintmark.fidelity.frechet import frechet_distance
from mintmark.fidelity.kernel import kernel_distance
from mintmark.fidelity.measurements import WORDS, excess, facts, measure, unmeasured

DRAWS, SIZE, FEATURES, K = 5, 40, 6, 5


def points(num: int, *, seed: int) -> torch.Tensor:
    return torch.randn(num, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


TRAIN = points(400, seed=0)
CODES = np.zeros((DRAWS, SIZE), np.int64)


def party(features: torch.Tensor) -> Party:
    return Party(features.reshape(DRAWS, SIZE, FEATURES), CODES)


def compared(released: torch.Tensor) -> Comparison:
    real, other_real = (party(points(DRAWS * SIZE, seed=seed)) for seed in (1, 2))
    return compare_parties(real, other_real, party(released), TRAIN, neighbours=K)


FRESH = points(DRAWS * SIZE, seed=3)


def test_each_draw_has_the_measures_of_its_own_samples():
    found = compared(FRESH)
    real, other, released = (points(DRAWS * SIZE, seed=seed).reshape(DRAWS, SIZE, -1)[2] for seed in (1, 2, 3))
    for values, judged in ((found.released, released), (found.floor, other)):
        assert values["frechet_distance"][2] == pytest.approx(frechet_distance(real, judged))
        assert values["kernel_distance"][2] == pytest.approx(kernel_distance(real, judged))
        balls = compare(real, judged, k=K)
        for name, flags in (("precision", balls.precise), ("recall", balls.recalled), ("coverage", balls.covered)):
            assert values[name][2] == float(flags.double().mean())
        assert values["density"][2] == pytest.approx(float(balls.density.mean()))


def test_a_perfect_release_lies_at_the_floor_which_is_not_zero():
    found = compared(FRESH)
    beyond = excess(found)
    for name in MEASURES:  # within twice the half width: six intervals at once
        assert abs(beyond[name]["value"]) <= 2 * (beyond[name]["high"] - beyond[name]["value"])
    assert found.floor["frechet_distance"].min() > 0.2  # what 40 records of one population differ by
    rows = {one.name: one for one in measure(found, space="trained")}
    score, floor = rows["trained_copying_score"], rows["trained_copying_score_floor"]
    assert score.low is not None
    assert score.high is not None
    assert score.low < 0 < score.high
    assert floor.value is not None
    assert abs(floor.value) < 3


def test_a_floor_of_identical_samples_is_none_between_parties_that_are_equal():
    same = party(points(DRAWS * SIZE, seed=1))
    found = compare_parties(same, same, same, TRAIN, neighbours=K)
    for values in (found.released, found.floor):
        assert np.abs(values["frechet_distance"]).max() < 1e-12
        assert values["coverage"].tolist() == values["precision"].tolist() == [1.0] * DRAWS
        assert values["kernel_distance"].max() < 0  # unbiased: the same records again lie nearer than fresh ones


def test_a_shifted_release_lies_beyond_the_floor_by_the_squared_shift():
    shift = torch.full((FEATURES,), 2.0, dtype=torch.float64)
    beyond = excess(compared(FRESH + shift))
    assert beyond["frechet_distance"]["low"] < 4 * FEATURES < beyond["frechet_distance"]["high"]
    assert beyond["kernel_distance"]["low"] > 0
    for name in ("precision", "density", "coverage"):
        assert beyond[name]["high"] < 0


def test_a_collapsed_release_is_precise_and_recalls_little():
    one_spot = 0.05 * FRESH
    beyond = excess(compared(one_spot))
    assert beyond["precision"]["value"] >= 0
    assert beyond["recall"]["high"] < -0.5
    assert beyond["coverage"]["high"] < -0.2


def test_a_copying_release_passes_every_distance_and_fails_both_tests_of_memory():
    found = compared(TRAIN[: DRAWS * SIZE] + 1e-3)
    beyond = excess(found)
    assert beyond["frechet_distance"]["low"] <= 0 <= beyond["frechet_distance"]["high"]
    assert found.released_memory.copying is not None
    assert found.released_memory.copying.high < -5
    assert not found.released_memory.authentic.any()
    assert found.floor_memory.authentic.mean() > 0.3


def test_every_row_names_its_floor_and_the_n_of_its_samples():
    rows = {one.name: one for one in measure(compared(FRESH), space="inception")}
    assert len(rows) == 2 * len(WORDS)
    for name in WORDS:
        judged, floor = rows[f"inception_{name}"], rows[f"inception_{name}_floor"]
        assert judged.control == floor.name
        assert floor.control is None
        assert judged.unit == floor.unit
        assert judged.n == floor.n == (DRAWS * SIZE if name in {"copying_score", "authenticity"} else SIZE)
        assert judged.note.endswith(".")


def test_shares_that_are_all_one_keep_a_doubt_and_no_end_leaves_its_range():
    rows = {one.name: one for one in measure(compared(0.05 * FRESH), space="trained")}
    precision = rows["trained_precision"]
    assert precision.value == 1.0
    assert precision.low is not None
    assert 0.97 < precision.low < 1.0
    for one in rows.values():
        if one.unit == "rate":
            assert one.low is not None
            assert one.high is not None
            assert 0.0 <= one.low <= one.high <= 1.0
    assert (rows["trained_frechet_distance_floor"].low or 0.0) >= 0.0


def test_without_values_the_rows_are_the_same_and_say_what_was_needed():
    rows = unmeasured(space="trained", reason="labels")
    assert [one.name for one in rows] == [one.name for one in measure(compared(FRESH), space="trained")]
    assert {one.value for one in rows} == {None}
    assert {one.note for one in rows} == {"Not measured: it needs labels."}


def test_cells_too_thin_for_a_rank_test_leave_the_score_out_and_nothing_else():
    thin = np.arange(DRAWS * SIZE).reshape(DRAWS, SIZE)
    real, other, released = (Party(party(points(DRAWS * SIZE, seed=seed)).features, thin) for seed in (1, 2, 3))
    found = compare_parties(real, other, released, TRAIN, neighbours=K)
    rows = {one.name: one for one in measure(found, space="trained")}
    assert rows["trained_copying_score"].value is None
    assert rows["trained_authenticity"].value is not None


def test_facts_are_plain_and_hold_sizes():
    stated = facts(compared(FRESH), num_features=FEATURES, num_train=400)
    assert (stated["sample_records"], stated["draws"], stated["features"]) == (SIZE, DRAWS, FEATURES)
    assert set(stated["excess"]) == set(MEASURES)


@pytest.mark.parametrize("name", MEASURES)
def test_intervals_of_the_excess_hold_zero_about_as_often_as_they_say(name: str):
    held = 0
    for trial in range(60):
        generator = torch.Generator().manual_seed(trial)
        drawn = torch.randn(3, 4, 12, 2, dtype=torch.float64, generator=generator)
        parties = [Party(one, np.zeros((4, 12), np.int64)) for one in drawn]
        beyond = excess(compare_parties(parties[0], parties[1], parties[2], TRAIN[:20, :2], neighbours=3))[name]
        held += beyond["low"] <= 0 <= beyond["high"]
    assert held >= 51  # of 60; below with probability .5% where an interval holds at 95%
