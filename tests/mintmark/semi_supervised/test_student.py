import pytest
import torch

from mintmark.classify.training import Recipe, train_classifier
from mintmark.errors import BadInput
from mintmark.semi_supervised.student import train_student

RECIPE = Recipe(steps=40, batch_size=12, learning_rate=1e-2, weight_decay=0.01, width=4)


def weights_of(network):
    return torch.cat([one.detach().flatten() for one in network.parameters()])


def few_labels(toy_images, kept):
    images, codes = toy_images().tensors()
    return images, codes, torch.where(torch.arange(len(codes)) < kept, codes, -1)


def test_a_student_believes_its_teacher_about_what_has_no_label(toy_images):
    images, truth, codes = few_labels(toy_images, kept=3)
    right = torch.nn.functional.one_hot(truth, 3).float()
    answers = {}
    for name, beliefs in {"right": right, "wrong": right.roll(1, dims=1)}.items():
        network = train_student(images, codes, beliefs, share=0.9, recipe=RECIPE, seed=0)
        answers[name] = (network(images[3:]).argmax(dim=1) == truth[3:]).float().mean()
    assert answers["right"] > 0.9
    assert answers["wrong"] < 0.5


def test_beliefs_about_labelled_images_are_not_used(toy_images):
    images, truth, codes = few_labels(toy_images, kept=6)
    beliefs = torch.nn.functional.one_hot(truth, 3).float()
    other = torch.where((codes >= 0)[:, None], 1 / 3, beliefs)
    one, two = (train_student(images, codes, part, share=0.5, recipe=RECIPE, seed=0) for part in (beliefs, other))
    assert torch.equal(weights_of(one), weights_of(two))
    assert not torch.equal(
        weights_of(one), weights_of(train_classifier(images, codes, num_classes=3, recipe=RECIPE, seed=0))
    )


def test_without_unlabelled_images_there_is_nothing_to_teach(toy_images):
    images, _truth, codes = few_labels(toy_images, kept=60)
    with pytest.raises(BadInput, match="at least one without a label"):
        train_student(images, codes, torch.full((60, 3), 1 / 3), share=0.5, recipe=RECIPE, seed=0)


def test_what_is_no_probability_is_refused(toy_images):
    images, _truth, codes = few_labels(toy_images, kept=6)
    with pytest.raises(BadInput, match="probabilities that sum to 1"):
        train_student(images, codes, torch.zeros((60, 3)), share=0.5, recipe=RECIPE, seed=0)
