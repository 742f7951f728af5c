"""Regions that are covered, missed, copied or empty: made by hand, so that the verdict is known."""

import numpy as np
import pytest
import torch

from mintmark.fidelity.regions import Rules, judge

RULES = Rules(neighbours=3, covered_from=0.5, copy_quantile=0.05, halvings=4)
CENTRES = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]], dtype=torch.float64)
NUM = 80


def blobs(counts, *, seed):
    """Standard normal points about each centre, and the centre of each."""
    codes = np.repeat(np.arange(len(counts)), counts)
    noise = torch.randn(len(codes), 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return CENTRES[torch.from_numpy(codes)] + noise, codes


def judged(synthetic, codes, *, real=None, num_regions=3, rules=RULES):
    points, real_codes = real or blobs([NUM] * 3, seed=0)
    return judge(
        points, real_codes, synthetic, codes, num_regions=num_regions, rules=rules, rng=np.random.default_rng(0)
    )


def test_fresh_draws_cover_every_region_at_the_real_floor_and_copy_none():
    found = judged(*blobs([NUM] * 3, seed=1))
    assert [region.status for region in found.regions] == ["covered"] * 3
    assert not any(region.copied for region in found.regions)
    assert found.matched == pytest.approx(found.floor, abs=0.08)
    assert found.floor == pytest.approx(1 - 2**-RULES.neighbours, abs=0.06)  # Naeem et al. 2020, lemma 2


def test_region_that_a_release_leaves_out_is_missed_and_the_others_are_not():
    found = judged(*blobs([NUM, 0, NUM], seed=1))
    assert [region.status for region in found.regions] == ["covered", "missed", "covered"]
    missed = found.regions[1]
    assert missed.synthetic_records == 0
    assert missed.coverage is not None
    assert missed.coverage.value == 0.0
    assert missed.matched == 0.0
    assert missed.floor is not None
    assert missed.floor > 0.7
    assert missed.close is None
    assert missed.detectable is None


def test_collapse_to_one_spot_is_missed_though_it_is_right_in_number():
    synthetic, codes = blobs([NUM] * 3, seed=1)
    synthetic[codes == 2] = synthetic[codes == 2][:1]
    found = judged(synthetic, codes)
    assert [region.status for region in found.regions] == ["covered", "covered", "missed"]


def test_taking_a_regions_own_records_away_shows():
    found = judged(*blobs([NUM] * 3, seed=1))
    assert [region.status_without for region in found.regions] == ["missed"] * 3


def test_copied_region_is_named_and_no_other():
    real = blobs([NUM] * 3, seed=0)
    synthetic, codes = blobs([NUM] * 3, seed=1)
    synthetic[codes == 0] = real[0][real[1] == 0] + 1e-3
    found = judged(synthetic, codes, real=real)
    assert [region.copied for region in found.regions] == [True, False, False]
    close = found.regions[0].close
    assert close is not None
    assert close.value == 1.0


def test_smallest_share_of_copies_that_would_be_named_is_named_and_one_less_is_not():
    real, (synthetic, codes) = blobs([NUM] * 3, seed=0), blobs([NUM] * 3, seed=1)
    fresh = judged(synthetic, codes, real=real).regions[0]
    assert fresh.detectable is not None
    least = round(fresh.detectable * NUM)
    far = synthetic.clone()
    far[codes == 0] += 50.0  # none of them is close of itself
    for copies, named in ((least, True), (least - 1, False)):
        some = far.clone()
        some[np.flatnonzero(codes == 0)[:copies]] = real[0][real[1] == 0][:copies]
        assert judged(some, codes, real=real).regions[0].copied is named


def test_region_without_real_records_is_empty_and_stops_nothing():
    found = judged(*blobs([NUM] * 3, seed=1), num_regions=4)
    empty = found.regions[3]
    assert (empty.status, empty.status_without, empty.coverage, empty.floor, empty.close) == (
        "empty",
        "empty",
        None,
        None,
        None,
    )


def test_few_records_leave_a_region_unsure():
    real, codes = blobs([NUM, 4, NUM], seed=0)
    found = judged(*blobs([NUM] * 3, seed=1), real=(real, codes))
    assert found.regions[1].status == "unsure"


def test_release_smaller_than_half_of_the_real_records_is_matched_at_its_own_size():
    found = judged(*blobs([10, 10, 10], seed=1))
    assert 0.2 < found.matched < 0.9
    assert found.matched == pytest.approx(found.floor, abs=0.15)


@pytest.mark.parametrize(
    ("name", "value"), [("neighbours", 0), ("halvings", 0), ("covered_from", 1.0), ("copy_quantile", 0.0)]
)
def test_rules_refuse_impossible_numbers(name, value):
    numbers = {"neighbours": 5, "covered_from": 0.5, "copy_quantile": 0.05, "halvings": 10}
    with pytest.raises(ValueError, match=f"{name} must"):
        Rules(**numbers | {name: value})
