"""Wrong labels: doubt and votes against hand-computed ones, and that planted ones are found among real digits."""

import math

import numpy as np
import pytest
import torch

from mintmark.anomaly.screening import average_precision
from mintmark.anomaly.wrong_labels import doubts, plant, voted
from mintmark.classify.out_of_fold import Folds, out_of_fold
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.errors import BadInput

RECIPE = Recipe(steps=60, batch_size=32, learning_rate=1e-2, weight_decay=1e-2, width=8)
FOLDS = Folds(number=3, recipe=RECIPE, workers=1, threads=1)


def test_doubt_is_the_logarithm_of_how_much_likelier_another_class_is():
    beliefs = torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]).log()
    found = doubts(beliefs, torch.tensor([0, 2]))
    torch.testing.assert_close(found, torch.tensor([math.log(2 / 7), math.log(7)]))


def test_doubt_is_the_same_for_logits():
    logits = torch.tensor([[3.0, -1.0, 0.5], [200.0, 0.0, 90.0]])
    codes = torch.tensor([1, 0])
    torch.testing.assert_close(doubts(logits, codes), doubts(logits.log_softmax(dim=1), codes))


def test_votes_weigh_one_over_their_distance():
    """Three records on a line at 0, 1 and 3: for the first, class 1 has the nearest vote, class 0 one of a third."""
    images = torch.tensor([0.0, 1.0, 3.0])[:, None, None, None]
    found = voted(images, torch.tensor([0, 1, 0]), num_classes=2, num_neighbours=2)
    expected = torch.tensor([1 / 3 + 0.1, 1 + 0.1])
    torch.testing.assert_close(found[0].exp(), expected / expected.sum())


def test_no_record_votes_for_itself():
    images = torch.tensor([0.0, 0.0, 5.0])[:, None, None, None]
    found = voted(images, torch.tensor([0, 1, 1]), num_classes=2, num_neighbours=1)
    assert found.argmax(dim=1).tolist() == [1, 0, 0]


def test_planted_codes_differ_and_no_others_do():
    codes = np.arange(200) % 4
    given, planted = plant(codes, num_classes=4, share=0.1, rng=np.random.default_rng(0))
    assert planted.sum() == 20
    assert ((given != codes) == planted).all()
    assert set(given) <= set(range(4))


def test_every_other_class_is_planted_alike():
    codes = np.zeros(3000, np.int64)
    given, planted = plant(codes, num_classes=4, share=0.9, rng=np.random.default_rng(0))
    assert np.bincount(given[planted], minlength=4)[1:] == pytest.approx(900, abs=90)


@pytest.mark.parametrize("way", ["networks", "neighbours"])
def test_planted_labels_of_real_digits_are_found(way: str, digits: ImageSet):
    images, true = digits.take(np.arange(600)).tensors()
    given, planted = plant(true.numpy(), num_classes=10, share=0.05, rng=np.random.default_rng(1))
    codes = torch.from_numpy(given)
    if way == "networks":
        beliefs = out_of_fold(images, codes, num_classes=10, folds=FOLDS, seed=2)
    else:
        beliefs = voted(images, codes, num_classes=10, num_neighbours=10)
    assert average_precision(planted, doubts(beliefs, codes).double().numpy()) > 0.8


def test_bad_input_is_refused():
    images, codes = torch.zeros(3, 1, 4, 4), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(BadInput, match="classes: expected at least two, to doubt a label, got 1"):
        doubts(torch.zeros(3, 1), codes)
    with pytest.raises(BadInput, match="num_neighbours: expected 1 to 2, fewer than the records, got 3"):
        voted(images, codes, num_classes=2, num_neighbours=3)
    rng = np.random.default_rng(0)
    with pytest.raises(BadInput, match="classes: expected at least two, to plant a wrong label, got 1"):
        plant(codes.numpy(), num_classes=1, share=0.5, rng=rng)
    with pytest.raises(BadInput, match="share: expected above 0 and below 1, got 1"):
        plant(codes.numpy(), num_classes=2, share=1.0, rng=rng)
    with pytest.raises(BadInput, match="records: expected at least 2, got 1"):
        plant(codes.numpy()[:1], num_classes=2, share=0.5, rng=rng)
