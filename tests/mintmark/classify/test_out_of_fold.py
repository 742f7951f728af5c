"""Answers out of fold: by networks that never saw the record, each at its own place, the same whoever works."""

import numpy as np
import pytest
import torch

from mintmark.classify import out_of_fold as module
from mintmark.classify.model import logits
from mintmark.classify.out_of_fold import Folds, out_of_fold, teach
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.errors import BadInput

RECIPE = Recipe(steps=5, batch_size=16, learning_rate=1e-2, weight_decay=0.0, width=4)
FOLDS = Folds(number=3, recipe=RECIPE, workers=1, threads=1)


def test_no_network_answers_for_a_record_that_it_was_taught_with(digits: ImageSet, monkeypatch: pytest.MonkeyPatch):
    images, codes = digits.take(np.arange(60)).tensors()
    taught: list[torch.Tensor] = []
    train = module.train_classifier

    def spied(some, *arguments, **named):
        taught.append(some)
        return train(some, *arguments, **named)

    def asked(_network, some):
        assert not (taught[-1][:, None] == some).flatten(2).all(dim=2).any()
        assert len(taught[-1]) + len(some) == 60
        return torch.zeros(len(some), 10)

    monkeypatch.setattr(module, "train_classifier", spied)
    monkeypatch.setattr(module, "logits", asked)
    out_of_fold(images, codes, num_classes=10, folds=FOLDS, seed=0)
    assert len(taught) == 3


def test_each_answer_stands_at_its_own_record(digits: ImageSet, monkeypatch: pytest.MonkeyPatch):
    images, codes = digits.take(np.arange(60)).tensors()
    monkeypatch.setattr(module, "logits", lambda _network, some: some.flatten(1)[:, :10])
    found = out_of_fold(images, codes, num_classes=10, folds=FOLDS, seed=0)
    torch.testing.assert_close(found, images.flatten(1)[:, :10].log_softmax(dim=1))


def test_every_record_is_answered_for_by_one_of_the_networks_that_are_given_back(digits: ImageSet):
    images, codes = digits.take(np.arange(60)).tensors()
    beliefs, networks = teach(images, codes, num_classes=10, folds=FOLDS, seed=0)
    answers = torch.stack([logits(network, images).log_softmax(dim=1) for network in networks])
    answering = (answers - beliefs).abs().amax(dim=2) < 1e-5  # (networks, records)
    assert answering.sum(dim=0).tolist() == [1] * 60
    assert answering.sum(dim=1).tolist() == [20] * 3


def test_the_seed_decides_and_the_number_of_workers_does_not(digits: ImageSet):
    images, codes = digits.take(np.arange(80)).tensors()
    one, two, other = (
        out_of_fold(
            images,
            codes,
            num_classes=10,
            folds=Folds(number=2, recipe=RECIPE, workers=workers, threads=1),
            seed=seed,
        )
        for workers, seed in ((1, 0), (2, 0), (1, 1))
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_whoever_asks_keeps_the_threads_that_it_had(digits: ImageSet):
    images, codes = digits.take(np.arange(20)).tensors()
    before = torch.get_num_threads()
    folds = Folds(number=2, recipe=RECIPE, workers=1, threads=before + 1)
    out_of_fold(images, codes, num_classes=10, folds=folds, seed=0)
    assert torch.get_num_threads() == before


def test_bad_input_is_refused():
    images, codes = torch.zeros(2, 1, 4, 4), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(BadInput, match="records: expected at least 3, one a fold, got 2"):
        out_of_fold(images, codes, num_classes=2, folds=FOLDS, seed=0)
    with pytest.raises(ValueError, match="number must be at least 2, got 1"):
        Folds(number=1, recipe=RECIPE, workers=1, threads=1)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        Folds(number=2, recipe=RECIPE, workers=0, threads=1)
