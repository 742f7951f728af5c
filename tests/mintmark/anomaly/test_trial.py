"""The trial: no record on both sides or twice, and all draws stratified."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mintmark.anomaly.trial import at_most, divide, grades, set_up
from mintmark.data.images import ImageSet, to_bytes
from mintmark.errors import BadInput

CORRUPTIONS = {"shuffle_pixels": 0.5, "invert": 1.0}


def flat_images(num: int = 121) -> ImageSet:
    """Record i is of one grey, i, which tells it from all others; shuffling leaves it, inversion makes it 255 - i."""
    images = np.arange(num, dtype=np.uint8)[:, None, None, None].repeat(4, axis=1).repeat(4, axis=2)
    codes = np.arange(num) % 3 - 1  # a third is unlabelled
    return ImageSet(ids=[f"r{row}" for row in range(num)], codes=codes, images=images, classes=("a", "b"))


def greys(images: torch.Tensor) -> list[int]:
    return to_bytes(images)[:, 0, 0, 0].tolist()


def test_every_record_serves_once_on_one_side():
    trial = set_up(flat_images(), corruptions=CORRUPTIONS, max_records=1000, rng=np.random.default_rng(0))
    normals, shuffled = greys(trial.normals), greys(trial.anomalies["shuffle_pixels"])
    inverted = [255 - grey for grey in greys(trial.anomalies["invert"])]
    assert sorted(normals + shuffled + inverted) == list(range(121))
    assert (len(normals), len(shuffled), len(inverted)) == (61, 30, 30)


def test_neither_side_has_more_records_than_asked():
    trial = set_up(flat_images(), corruptions=CORRUPTIONS, max_records=20, rng=np.random.default_rng(0))
    assert len(trial.normals) == 20
    assert [len(images) for images in trial.anomalies.values()] == [10, 10]


def test_the_sides_are_drawn_at_random_and_repeat_with_the_seed():
    sides = [
        greys(set_up(flat_images(), corruptions=CORRUPTIONS, max_records=1000, rng=np.random.default_rng(seed)).normals)
        for seed in (0, 0, 1)
    ]
    assert sides[0] == sides[1]
    assert sides[0] != sides[2]


def test_too_few_test_records_are_refused():
    with pytest.raises(BadInput, match="at least 8 records for 2 corruptions, got 7"):
        set_up(flat_images(7), corruptions=CORRUPTIONS, max_records=9, rng=np.random.default_rng(0))


def test_the_fewest_test_records_do():
    trial = set_up(
        flat_images(8), corruptions={"paste_part": 0.5, "invert": 1.0}, max_records=9, rng=np.random.default_rng(0)
    )
    assert [len(images) for images in trial.anomalies.values()] == [2, 2]


def test_at_most_keeps_as_many_as_asked_each_class_alike_in_order():
    kept = at_most(flat_images(120), max_records=30, rng=np.random.default_rng(0))
    rows = [int(one[1:]) for one in kept.ids]
    assert rows == sorted(set(rows))
    assert rows != list(range(0, 120, 4))
    assert np.unique(kept.codes, return_counts=True)[1].tolist() == [10, 10, 10]


def test_at_most_keeps_all_where_there_are_no_more():
    images = flat_images(30)
    assert at_most(images, max_records=30, rng=np.random.default_rng(0)) is images


def test_the_codes_are_those_of_the_records():
    trial = set_up(flat_images(), corruptions=CORRUPTIONS, max_records=1000, rng=np.random.default_rng(0))
    known = {grey: grey % 3 - 1 for grey in range(121)}
    assert trial.normal_codes.tolist() == [known[grey] for grey in greys(trial.normals)]
    assert trial.anomaly_codes["shuffle_pixels"].tolist() == [
        known[grey] for grey in greys(trial.anomalies["shuffle_pixels"])
    ]
    assert trial.anomaly_codes["invert"].tolist() == [known[255 - grey] for grey in greys(trial.anomalies["invert"])]


def test_a_division_puts_every_record_on_one_side_each_class_alike():
    taken, others = divide(flat_images(120), share=0.25, rng=np.random.default_rng(0))
    assert sorted([*taken.ids, *others.ids]) == sorted(flat_images(120).ids)
    assert np.unique(taken.codes, return_counts=True)[1].tolist() == [10, 10, 10]
    assert len(divide(flat_images(3), share=0.1, rng=np.random.default_rng(0))[0]) == 0


def test_grades_share_no_record_and_the_mild_one_is_corrupted_less():
    """Greys 0, 2, 4, ...: a quarter of the way from g to 255 - g lies 63.75 + g / 2."""
    spaced = replace(flat_images(120), images=2 * flat_images(120).images)
    found = grades(spaced, corruptions={"invert": 1.0}, mildness=0.25, max_records=30, rng=np.random.default_rng(0))
    assert list(found) == ["untouched", "mildly corrupted", "corrupted"]
    untouched, mild, strong = (greys(images) for images in found.values())
    records = [*untouched, *({round(63.75 + grey / 2): grey for grey in range(0, 240, 2)}[one] for one in mild)]
    records += [255 - grey for grey in strong]
    assert len(set(records)) == len(records) == 90


def test_too_few_records_for_three_grades_are_refused():
    with pytest.raises(BadInput, match="at least 12 records for 2 corruptions, got 11"):
        grades(flat_images(11), corruptions=CORRUPTIONS, mildness=0.5, max_records=9, rng=np.random.default_rng(0))
