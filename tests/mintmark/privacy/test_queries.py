"""Questions to a classifier: log-odds by hand, forms of a record, eval mode."""

import numpy as np
import pytest
import torch
from torch import nn

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.networks import SmallCNN
from mintmark.privacy.queries import (
    PLAIN_FORM,
    Form,
    ask,
    confidence_scores,
    forms_like,
    log_likelihoods,
    log_odds,
    shown_as,
)


def test_confidence_is_the_log_odds_of_the_true_class():
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]])
    found = log_odds(probabilities.log(), np.array([0, 1]))
    assert found == pytest.approx([np.log(0.7 / 0.3), np.log(0.25 / 0.75)], rel=1e-6)


def test_confidence_does_not_saturate():
    found = log_odds(torch.tensor([[50.0, 0.0], [90.0, 0.0]]), np.array([0, 0]))
    assert found == pytest.approx([50.0, 90.0])


def test_forms_follow_the_training():
    plain = forms_like(Augmentation(rotation=10.0), shape=(8, 8, 1))
    assert plain == (PLAIN_FORM,)
    shifted = forms_like(Augmentation(shift=0.25), shape=(8, 4, 1))  # up to 2 pixels down, 1 to the right
    assert [form[:2] for form in shifted] == [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    assert len(forms_like(Augmentation(shift=0.25, flip=0.5), shape=(8, 8, 1))) == 10
    assert forms_like(Augmentation(shift=0.01), shape=(8, 8, 1)) == (PLAIN_FORM,)


def test_a_form_moves_pixels_and_fills_with_black():
    image = torch.arange(1.0, 7.0).reshape(1, 1, 2, 3)
    assert shown_as(image, PLAIN_FORM).equal(image)
    assert shown_as(image, Form(1, 0, mirrored=False))[0, 0].tolist() == [[-1, -1, -1], [1, 2, 3]]
    assert shown_as(image, Form(0, -1, mirrored=False))[0, 0].tolist() == [[2, 3, -1], [5, 6, -1]]
    assert shown_as(image, Form(0, 1, mirrored=True))[0, 0].tolist() == [[-1, 3, 2], [-1, 6, 5]]


def test_the_answers_to_all_forms_are_averaged():
    network = SmallCNN(shape=(8, 8, 1), num_classes=3, width=4).eval()
    images, codes = torch.rand((5, 1, 8, 8), generator=torch.Generator().manual_seed(0)), np.array([0, 1, 2, 0, 1])
    forms = (PLAIN_FORM, Form(0, 1, mirrored=False))
    one, other = (confidence_scores(network, shown_as(images, form), codes) for form in forms)
    assert one != pytest.approx(other)
    assert confidence_scores(network, images, codes, forms=forms) == pytest.approx((one + other) / 2)


def test_a_network_in_training_mode_is_asked_in_eval_mode():
    network = SmallCNN(shape=(8, 8, 1), num_classes=3, width=4)
    assert any(isinstance(layer, nn.BatchNorm2d | nn.Dropout) for layer in network.modules())
    images, codes = torch.rand((6, 1, 8, 8), generator=torch.Generator().manual_seed(0)), np.zeros(6, np.int64)
    expected = confidence_scores(network.eval(), images, codes)
    assert confidence_scores(network.train(), images, codes) == pytest.approx(expected)
    assert network.training


def test_likelihoods_are_those_of_a_softmax_at_temperature_2():
    answers = torch.tensor([[2.0, 0.0, -2.0], [100.0, 0.0, 0.0]])
    found = log_likelihoods(answers, np.array([1, 0]))
    assert found[0] == pytest.approx(-np.log(np.exp(1.0) + 1.0 + np.exp(-1.0)))
    assert found[1] == pytest.approx(-2 * np.exp(-50.0))  # sure answers still differ from surer ones


def test_both_answers_are_means_over_the_forms():
    torch.manual_seed(0)
    network, images, codes = SmallCNN((6, 6, 1), 3, 4).eval(), torch.rand(5, 1, 6, 6) * 2 - 1, np.arange(5) % 3
    forms = (PLAIN_FORM, Form(1, 0, mirrored=False))
    both = [ask(network, images, codes, forms=(form,)) for form in forms]
    found = ask(network, images, codes, forms=forms)
    assert found.confidences == pytest.approx(np.mean([one.confidences for one in both], axis=0))
    assert found.log_likelihoods == pytest.approx(np.mean([one.log_likelihoods for one in both], axis=0))
