"""Canaries: three kinds, fair coins, and a training set that holds those whose coins said so."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mintmark.data.images import ImageSet, write_images
from mintmark.errors import BadInput
from mintmark.shadow.canaries import KINDS, make_canaries, planted_among, read_canaries, write_canaries


def test_each_kind_is_what_it_says(digits: ImageSet):
    found = make_canaries(digits, num=90, rng=np.random.default_rng(0))
    assert [int(found.of_kind(kind).sum()) for kind in KINDS] == [30, 30, 30]
    known = {image.tobytes(): code for image, code in zip(digits.images, digits.codes.tolist(), strict=True)}
    for image, code, kind in zip(found.images.images, found.images.codes.tolist(), found.kinds, strict=True):
        truth = known.get(image.tobytes())
        assert (truth is None) == (kind == "noise")
        assert (truth == code) == (kind == "natural")


def test_no_record_serves_twice(digits: ImageSet):
    found = make_canaries(digits.take(np.arange(60)), num=90, rng=np.random.default_rng(0))
    assert len({image.tobytes() for image in found.images.images}) == 90


def test_coins_are_fair(digits: ImageSet):
    planted = [make_canaries(digits, num=30, rng=np.random.default_rng(seed)).planted.sum() for seed in range(60)]
    assert stats.binomtest(int(np.sum(planted)), 1800, 0.5).pvalue > 1e-3
    assert np.var(planted) == pytest.approx(7.5, rel=0.6)  # independent coins, not a fixed half


def test_the_twin_learns_the_planted_ones_and_all_training_records(digits: ImageSet):
    train, spare = digits.take(np.arange(100)), digits.take(np.arange(100, 200))
    canaries = make_canaries(spare, num=30, rng=np.random.default_rng(0))
    lesson = planted_among(train, canaries)
    assert len(lesson) == 100 + canaries.planted.sum()
    chosen = {one for one, planted in zip(canaries.images.ids, canaries.planted.tolist(), strict=True) if planted}
    assert set(lesson.ids) == {*train.ids, *chosen}


@pytest.mark.parametrize("num", [31, 1000])
def test_too_many_or_no_multiple_of_three_are_refused(digits: ImageSet, num: int):
    with pytest.raises(ValueError, match="must be a multiple of 3"):
        make_canaries(digits.take(np.arange(60)), num=num, rng=np.random.default_rng(0))


def test_what_is_written_is_read(digits: ImageSet, tmp_path: Path):
    assert read_canaries(tmp_path) is None
    canaries = make_canaries(digits, num=30, rng=np.random.default_rng(0))
    write_canaries(tmp_path, canaries)
    found = read_canaries(tmp_path)
    assert found is not None
    assert (found.images.images == canaries.images.images).all()
    assert (found.planted == canaries.planted).all()
    assert found.kinds == canaries.kinds
    write_images(tmp_path / "canaries.parquet", canaries.images.take(np.arange(30)[::-1]))
    with pytest.raises(BadInput, match="coins of the canaries"):
        read_canaries(tmp_path)
