import math

import pytest
import torch
from torch.nn import functional

from mintmark.semi_supervised.losses import (
    agreement,
    aligned,
    conditional_entropy,
    feature_matching,
    pseudo_label,
    pull_away,
    real_or_fake,
)


def logits(seed, rows, classes=4):
    return torch.randn((rows, classes), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_real_or_fake_by_hand():
    real, fake = torch.tensor([[math.log(2.0), 0.0]]), torch.tensor([[0.0, 0.0]])
    # Z is 3 for the real image and 2 for the fake one
    assert real_or_fake(real, fake).item() == pytest.approx(-(math.log(3 / 4) + math.log(1 / 3)) / 2, abs=1e-6)


def test_real_or_fake_equals_a_softmax_over_one_more_class_whose_logit_is_0():
    real, fake = logits(0, 7), logits(1, 5)
    of_real, of_fake = (functional.pad(part, (0, 1)).log_softmax(dim=1)[:, -1] for part in (real, fake))
    expected = -(torch.log(-torch.expm1(of_real)).mean() + of_fake.mean()) / 2
    assert real_or_fake(real, fake).item() == pytest.approx(expected.item(), abs=1e-12)


def test_classes_of_k_logits_are_those_of_one_more_class_given_that_an_image_is_real():
    found = logits(2, 6)
    more = functional.pad(found, (0, 1)).softmax(dim=1)
    torch.testing.assert_close(found.softmax(dim=1), more[:, :-1] / (1 - more[:, -1:]))


def test_real_or_fake_stays_finite_for_huge_logits():
    huge = torch.full((2, 3), 1e4)
    assert real_or_fake(huge, -huge).item() == pytest.approx(0.0)
    assert real_or_fake(-huge, huge).isfinite()


def test_feature_matching_sees_means_alone():
    real, fake = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([[1.0, 5.0]])
    assert feature_matching(real, fake).item() == pytest.approx((0 + 3) / 2)
    assert feature_matching(real, real.flip(0)).item() == 0


def test_pull_away_is_1_for_parallel_features_and_0_for_orthogonal_ones():
    assert pull_away(torch.tensor([[1.0, 0.0], [3.0, 0.0], [-2.0, 0.0]])).item() == pytest.approx(1.0)
    assert pull_away(torch.eye(3)).item() == pytest.approx(0.0)
    # one pair of three at 45 degrees, one orthogonal, one at 45 degrees: two of three squared cosines are 1/2
    assert pull_away(torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])).item() == pytest.approx(1 / 3)


def test_conditional_entropy_by_hand():
    assert conditional_entropy(torch.zeros((3, 4))).item() == pytest.approx(math.log(4))
    assert conditional_entropy(torch.tensor([[100.0, 0.0]])).item() == pytest.approx(0.0, abs=1e-6)


def test_agreement_is_the_squared_distance_of_probabilities():
    sure, other = torch.tensor([[100.0, 0.0]]), torch.tensor([[0.0, 100.0]])
    assert agreement(sure, other).item() == pytest.approx(2.0)
    assert agreement(sure, sure + 7).item() == pytest.approx(0.0)


def test_aligned_beliefs_by_hand():
    beliefs = torch.tensor([[0.8, 0.2], [0.5, 0.5]])
    # divided by the shares: 0.8/0.8 and 0.2/0.2, then 0.5/0.8 = 0.625 and 0.5/0.2 = 2.5
    expected = torch.tensor([[0.5, 0.5], [0.2, 0.8]])
    torch.testing.assert_close(aligned(beliefs, torch.tensor([0.8, 0.2])), expected)
    torch.testing.assert_close(aligned(beliefs, torch.tensor([0.5, 0.5])), beliefs)
    assert aligned(torch.tensor([[1.0, 0.0]]), torch.tensor([1.0, 0.0])).isfinite().all()


def test_pseudo_label_by_hand():
    found = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0], [0.0, math.log(7.0)]])  # 3/4, 1/2 and 1/8 of class 0
    beliefs = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.95, 0.05]])
    # the middle image is too unsure to be taught, and counts as 0 in the mean of three
    assert pseudo_label(found, beliefs, confidence=0.9).item() == pytest.approx((math.log(4 / 3) + math.log(8)) / 3)
    assert pseudo_label(found, beliefs, confidence=0.96).item() == 0


def test_no_gradient_flows_into_the_beliefs_of_a_pseudo_label():
    found, beliefs = logits(3, 4).requires_grad_(), logits(4, 4).softmax(dim=1).requires_grad_()
    pseudo_label(found, beliefs, confidence=0.0).backward()
    assert found.grad is not None
    assert found.grad.abs().sum() > 0
    assert beliefs.grad is None
