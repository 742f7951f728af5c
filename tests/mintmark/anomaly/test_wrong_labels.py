"""Wrong labels: doubt, votes and folds against hand-computed ones, and that planted ones are found among real digits."""

import math

import numpy as np
import pytest
import torch

from mintmark.anomaly import wrong_labels
from mintmark.anomaly.screening import average_precision
from mintmark.anomaly.wrong_labels import Folds, doubts, out_of_fold, plant, voted
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


def test_no_network_answers_for_a_record_that_it_was_taught_with(digits: ImageSet, monkeypatch: pytest.MonkeyPatch):
    images, codes = digits.take(np.arange(60)).tensors()
    taught: list[torch.Tensor] = []
    train = wrong_labels.train_classifier

    def spied(some, *arguments, **named):
        taught.append(some)
        return train(some, *arguments, **named)

    def asked(_network, some):
        assert not (taught[-1][:, None] == some).flatten(2).all(dim=2).any()
        assert len(taught[-1]) + len(some) == 60
        return torch.zeros(len(some), 10)

    monkeypatch.setattr(wrong_labels, "train_classifier", spied)
    monkeypatch.setattr(wrong_labels, "logits", asked)
    out_of_fold(images, codes, num_classes=10, folds=FOLDS, seed=0)
    assert len(taught) == 3


def test_each_answer_stands_at_its_own_record(digits: ImageSet, monkeypatch: pytest.MonkeyPatch):
    images, codes = digits.take(np.arange(60)).tensors()
    monkeypatch.setattr(wrong_labels, "logits", lambda _network, some: some.flatten(1)[:, :10])
    found = out_of_fold(images, codes, num_classes=10, folds=FOLDS, seed=0)
    torch.testing.assert_close(found, images.flatten(1)[:, :10].log_softmax(dim=1))


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


def test_the_seed_decides_and_the_number_of_workers_does_not(digits: ImageSet):
    images, codes = digits.take(np.arange(80)).tensors()
    recipe = Recipe(steps=5, batch_size=16, learning_rate=1e-2, weight_decay=0.0, width=4)
    one, two, other = (
        out_of_fold(
            images,
            codes,
            num_classes=10,
            folds=Folds(number=2, recipe=recipe, workers=workers, threads=1),
            seed=seed,
        )
        for workers, seed in ((1, 0), (2, 0), (1, 1))
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_bad_input_is_refused():
    images, codes = torch.zeros(3, 1, 4, 4), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(BadInput, match="classes: expected at least two, to doubt a label, got 1"):
        doubts(torch.zeros(3, 1), codes)
    with pytest.raises(BadInput, match="num_neighbours: expected 1 to 2, fewer than the records, got 3"):
        voted(images, codes, num_classes=2, num_neighbours=3)
    with pytest.raises(BadInput, match="records: expected at least 3, one a fold, got 2"):
        out_of_fold(images[:2], codes[:2], num_classes=2, folds=FOLDS, seed=0)
    rng = np.random.default_rng(0)
    with pytest.raises(BadInput, match="classes: expected at least two, to plant a wrong label, got 1"):
        plant(codes.numpy(), num_classes=1, share=0.5, rng=rng)
    with pytest.raises(BadInput, match="share: expected above 0 and below 1, got 1"):
        plant(codes.numpy(), num_classes=2, share=1.0, rng=rng)
    with pytest.raises(BadInput, match="records: expected at least 2, got 1"):
        plant(codes.numpy()[:1], num_classes=2, share=0.5, rng=rng)
    with pytest.raises(ValueError, match="number must be at least 2, got 1"):
        Folds(number=1, recipe=RECIPE, workers=1, threads=1)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        Folds(number=2, recipe=RECIPE, workers=0, threads=1)
