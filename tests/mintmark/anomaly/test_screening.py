"""Screening of a data set that has wrong records: they are found, and the precision claimed is that of planted ones."""

import numpy as np
import pytest
import torch

from mintmark.anomaly import screening
from mintmark.anomaly.screening import (
    Findings,
    Planting,
    Screened,
    Screening,
    average_precision,
    left_out_distances,
    screen,
    screen_labels,
    screen_outliers,
    suspects_table,
)
from mintmark.anomaly.wrong_labels import plant
from mintmark.classify.out_of_fold import Folds
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.errors import BadInput
from mintmark.evidence import Measurement

FOLDS = Folds(
    number=3,
    recipe=Recipe(steps=60, batch_size=32, learning_rate=1e-2, weight_decay=1e-2, width=8),
    workers=1,
    threads=1,
)
PLANTING = Planting(share=0.05, draws=2, level=0.95)
CORRUPTIONS = {"add_noise": 0.4, "invert": 1.0}


def labelled(records: ImageSet, codes: np.ndarray) -> ImageSet:
    return ImageSet(ids=records.ids, codes=codes, images=records.images, classes=records.classes)


@pytest.fixture(scope="module")
def wrong(digits: ImageSet) -> tuple[ImageSet, np.ndarray]:
    """Digits of which some carry another's label and the last 20 none, and which are wrong."""
    some = digits.take(np.arange(500))
    codes, mask = plant(some.codes, num_classes=10, share=0.04, rng=np.random.default_rng(5))
    codes[480:], mask[480:] = -1, False
    return labelled(some, codes), mask


@pytest.fixture(scope="module")
def screened(wrong):
    return screen_labels(wrong[0], folds=FOLDS, planting=PLANTING, most_suspects=15, seed=0)


def test_the_users_own_wrong_labels_lead_the_suspects(wrong, screened):
    _, mask = wrong
    assert len(screened.suspects) == 15
    assert mask[screened.suspects].mean() > 0.7
    assert (np.diff(screened.scores[screened.suspects]) <= 0).all()


def test_the_believed_class_of_a_found_one_is_the_true_one(digits, wrong, screened):
    found = [row for row in screened.suspects if wrong[1][row]]
    assert np.mean(screened.believed[found] == digits.codes[found]) > 0.8


def test_unlabelled_records_are_never_suspected(screened):
    assert np.isnan(screened.scores[480:]).all()
    assert np.isfinite(screened.scores[:480]).all()
    assert (screened.believed[480:] == -1).all()
    assert screened.suspects.max() < 480


def test_planted_labels_are_found_with_the_stated_precision(screened):
    planted = screened.planted
    assert planted.name == "wrong_labels_average_precision"
    assert planted.low <= planted.value <= planted.high
    assert (planted.value or 0) > 0.4  # the records hold as many wrong labels again, which count as errors
    assert planted.n == 2


def test_a_blind_score_has_the_precision_of_chance(wrong, monkeypatch: pytest.MonkeyPatch):
    """The measurement can fail: beliefs drawn at random find nothing."""

    def blind(images, codes, *, num_classes, folds, seed):
        return torch.rand(len(codes), num_classes, generator=torch.Generator().manual_seed(seed % 1000))

    monkeypatch.setattr(screening, "out_of_fold", blind)
    many = Planting(share=0.05, draws=20, level=0.95)
    found = screen_labels(wrong[0], folds=FOLDS, planting=many, most_suspects=15, seed=0)
    assert found.planted.value == pytest.approx(0.05, abs=0.04)


def test_labels_that_are_believed_are_no_suspects(digits, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        screening,
        "out_of_fold",
        lambda images, codes, **_: torch.nn.functional.one_hot(codes, 10).float(),
    )
    found = screen_labels(digits.take(np.arange(50)), folds=FOLDS, planting=PLANTING, most_suspects=15, seed=0)
    assert len(found.suspects) == 0
    assert (found.scores == -1).all()


def test_outliers_lead_the_suspects_and_are_found_where_planted(digits):
    some = digits.take(np.arange(400))
    images = some.images.copy()
    images[:8] = 255 - images[:8]
    records = ImageSet(ids=some.ids, codes=some.codes, images=images, classes=some.classes)
    found = screen_outliers(
        records, num_neighbours=20, corruptions=CORRUPTIONS, planting=PLANTING, most_suspects=8, seed=0
    )
    assert set(found.suspects) == set(range(8))
    assert found.planted.name == "outliers_average_precision"
    assert (found.planted.value or 0) > 0.5
    assert (found.believed == -1).all()


def test_the_table_names_the_suspects(digits):
    records = labelled(digits.take(np.arange(3)), np.array([4, -1, 7]))
    planted = Measurement(name="some", value=0.5, unit="rate", n=2)
    nan = np.nan
    labels = Screened(
        scores=np.array([2.0, nan, -1.0]), believed=np.array([9, -1, 1]), planted=planted, suspects=np.array([0])
    )
    outliers = Screened(
        scores=np.array([1.0, 3.0, 2.0]), believed=np.full(3, -1), planted=planted, suspects=np.array([1, 2])
    )
    found = suspects_table(records, Findings(labels, outliers))
    assert found.astype(object).where(found.notna(), None).to_dict("list") == {
        "id": [records.ids[0], records.ids[1], records.ids[2]],
        "label": ["4", None, "7"],
        "why": ["wrong label", "outlier", "outlier"],
        "likelier": ["9", None, None],
        "score": [2.0, 3.0, 2.0],
    }


def test_a_table_of_no_suspects_has_its_columns(digits):
    none = Screened(
        scores=np.zeros(3),
        believed=np.full(3, -1),
        planted=Measurement(name="some", value=0.5, unit="rate", n=2),
        suspects=np.zeros(0, np.int64),
    )
    found = suspects_table(digits.take(np.arange(3)), Findings(None, none))
    assert list(found) == ["id", "label", "why", "likelier", "score"]
    assert len(found) == 0


SCREENING = Screening(
    folds=Folds(
        number=2,
        recipe=Recipe(steps=3, batch_size=8, learning_rate=1e-2, weight_decay=0.0, width=4),
        workers=1,
        threads=1,
    ),
    num_neighbours=3,
    most_suspects=4,
    planting=PLANTING,
)


def test_one_call_screens_both_and_is_the_same_with_the_same_seed(digits):
    records = digits.take(np.arange(60))
    first, again = (screen(records, screening=SCREENING, corruptions=CORRUPTIONS, seed=3) for _ in range(2))
    assert [one.name for one in first.measurements] == ["wrong_labels_average_precision", "outliers_average_precision"]
    assert first.measurements == again.measurements
    assert first.labels is not None
    assert again.labels is not None
    assert (first.labels.scores == again.labels.scores).all()
    assert len(first.outliers.suspects) == 4


@pytest.mark.parametrize("codes", [np.zeros(60), np.full(60, -1), np.r_[0, np.full(59, -1)]])
def test_labels_that_have_nothing_beside_them_are_not_screened(digits, codes):
    records = labelled(digits.take(np.arange(60)), codes.astype(np.int64))
    found = screen(records, screening=SCREENING, corruptions=CORRUPTIONS, seed=3)
    assert found.labels is None
    assert [one.name for one in found.measurements] == ["outliers_average_precision"]


def test_the_distance_is_of_others_alone():
    images = torch.tensor([0.0, 1.0, 3.0])[:, None, None, None]
    assert left_out_distances(images, num_neighbours=1).tolist() == [1.0, 1.0, 2.0]
    assert left_out_distances(images, num_neighbours=2).tolist() == [2.0, 1.5, 2.5]


def test_average_precision_is_the_one_counted_by_hand():
    """Planted at ranks 1 and 4 of 4: (1 + 2/4) / 2."""
    planted, scores = np.array([True, False, False, True]), np.array([4.0, 3.0, 2.0, 1.0])
    assert average_precision(planted, scores) == pytest.approx(0.75)


def test_bad_input_is_refused(digits):
    few = digits.take(np.arange(20))
    named = {"planting": PLANTING, "most_suspects": 5, "seed": 0}
    with pytest.raises(BadInput, match="num_neighbours: expected 1 to 19, fewer than the records, got 20"):
        left_out_distances(torch.zeros(20, 1, 2, 2), num_neighbours=20)
    with pytest.raises(BadInput, match="records: expected at least 5, got 4"):
        screen_outliers(few.take(np.arange(4)), num_neighbours=3, corruptions=CORRUPTIONS, **named)
    with pytest.raises(BadInput, match="corruptions: expected at least one, got none"):
        screen_outliers(few, num_neighbours=3, corruptions={}, **named)
    with pytest.raises(ValueError, match="most_suspects must be at least 1, got 0"):
        Screening(folds=FOLDS, num_neighbours=3, most_suspects=0, planting=PLANTING)
    with pytest.raises(BadInput, match="records: expected at least 2, got 0"):
        screen_labels(labelled(few, np.full(20, -1)), folds=FOLDS, **named)
    with pytest.raises(ValueError, match="draws must be at least 2, of which an interval can be known, got 1"):
        Planting(share=0.05, draws=1, level=0.95)
    with pytest.raises(ValueError, match="share must be between 0 and 1, got 1"):
        Planting(share=1.0, draws=2, level=0.95)
