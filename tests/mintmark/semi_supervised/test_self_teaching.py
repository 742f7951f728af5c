import copy
from typing import Any

import pytest
import torch
from torch.nn import functional

from mintmark.classify.augmentation import Augmentation, bend
from mintmark.classify.networks import SmallCNN
from mintmark.errors import BadInput
from mintmark.gan.batches import BalancedSampler
from mintmark.semi_supervised.self_teaching import SelfTeaching, teach_itself

WEAK, STRONG = Augmentation(shift=0.05), Augmentation(shift=0.1, rotation=10.0)


def recipe(**changes: Any) -> SelfTeaching:
    facts = {
        "steps": 3, "labelled_batch_size": 6, "batch_size": 8, "learning_rate": 1e-2, "weight_decay": 0.01,
        "width": 4, "confidence": 0.0, "ema_decay": 0.9, "weak": WEAK, "strong": STRONG, "precision": "float32",
    }  # fmt: skip
    return SelfTeaching(**(facts | changes))


def few_labels(toy_images, kept=6):
    images, codes = toy_images().tensors()
    return images, codes, torch.where(torch.arange(len(codes)) < kept, codes, -1)


def steps_of(images, codes, seed=0, **changes: Any):
    return teach_itself(images, codes, num_classes=3, recipe=recipe(**changes), seed=seed)


def last(steps):
    *_, final = steps
    return final


def weights_of(network):
    return torch.cat([one.detach().flatten() for one in network.state_dict().values() if one.is_floating_point()])


def test_the_same_seed_gives_the_same_weights_another_does_not_and_the_global_state_is_left_alone(toy_images):
    images, _truth, codes = few_labels(toy_images)
    before = torch.random.get_rng_state()
    runs = [weights_of(last(steps_of(images, codes, seed)).state.average) for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_first_step_is_the_published_one(toy_images):
    """Recomputed by hand from the same draws and weights, in the order in which a step draws."""
    images, _truth, codes = few_labels(toy_images)
    step = next(steps_of(images, codes, seed=5))
    torch.manual_seed(5)
    fresh = SmallCNN((8, 8, 1), 3, 4)
    average, rng = copy.deepcopy(fresh).eval(), torch.Generator().manual_seed(5)
    labelled = BalancedSampler(images[codes >= 0], codes[codes >= 0], 3).draw(6, rng=rng)
    plain = images[torch.randint(len(images), (8,), generator=rng)]
    beliefs = average(bend(plain, WEAK, generator=rng)).softmax(dim=1).detach()
    marginal = 0.99 / 3 + 0.01 * beliefs.mean(dim=0)
    bent = [bend(part, STRONG, generator=rng) for part in (labelled.images, plain)]
    found = fresh.train()(torch.cat(bent))
    supervised = functional.cross_entropy(found[:6], labelled.codes)
    taught = functional.cross_entropy(found[6:], (beliefs / marginal).argmax(dim=1))
    assert step.supervised_loss == pytest.approx(supervised.item(), abs=1e-5)
    assert step.taught_loss == pytest.approx(taught.item(), abs=1e-5)
    torch.testing.assert_close(step.state.marginal, marginal)
    (supervised + taught).backward()
    for old, new in zip(fresh.parameters(), step.state.network.parameters(), strict=True):
        assert old.grad is not None
        clear = old.grad.abs() > 1e-4
        moved = old * (1 - 1e-4 * 0.01) - 1e-4 * old.grad.sign()  # a hundredth of the peak, in the first of WARM_UP
        torch.testing.assert_close(new[clear], moved[clear], atol=2e-6, rtol=0)


def test_the_average_follows_weights_and_batch_statistics_and_stays_in_eval_mode(toy_images):
    images, _truth, codes = few_labels(toy_images)
    steps = steps_of(images, codes)
    state = next(steps).state
    before = weights_of(state.average)
    next(steps)
    decay = 2 / 12  # of the second step, still below ema_decay
    expected = decay * before + (1 - decay) * weights_of(state.network)
    torch.testing.assert_close(weights_of(state.average), expected)
    assert not state.average.training
    assert state.network.training


def test_unlabelled_images_teach(toy_images):
    images, truth, codes = few_labels(toy_images, kept=3)
    step = last(steps_of(images, codes, steps=120, confidence=0.8))
    answers = step.state.average(images[3:]).argmax(dim=1)
    assert (answers == truth[3:]).float().mean() > 0.95
    assert step.taught_loss > 0


def test_beliefs_from_elsewhere_are_multiplied_in(toy_images):
    images, truth, codes = few_labels(toy_images)
    told = torch.where(functional.one_hot(truth, 3).bool(), 0.98, 0.01)
    own = torch.full((len(images), 3), 1 / 3)
    plain, flat, sure = (
        next(teach_itself(images, codes, num_classes=3, recipe=recipe(), seed=0, beforehand=one))
        for one in (None, own, told)
    )
    assert flat.taught_loss == pytest.approx(plain.taught_loss, abs=1e-6)
    # a fresh network has no opinion worth 0.98, so the labels are those that it was told
    assert sure.state.marginal.sum().item() == pytest.approx(1.0)
    torch.manual_seed(0)
    fresh, rng = SmallCNN((8, 8, 1), 3, 4).train(), torch.Generator().manual_seed(0)
    labelled = BalancedSampler(images[codes >= 0], codes[codes >= 0], 3).draw(6, rng=rng)
    rows = torch.randint(len(images), (8,), generator=rng)
    bend(images[rows], WEAK, generator=rng)  # it draws
    found = fresh(torch.cat([bend(part, STRONG, generator=rng) for part in (labelled.images, images[rows])]))
    expected = functional.cross_entropy(found[6:], truth[rows])
    assert sure.taught_loss == pytest.approx(expected.item(), abs=1e-5)


def test_beliefs_from_elsewhere_that_are_no_probabilities_are_refused(toy_images):
    images, _truth, codes = few_labels(toy_images)
    for wrong in (torch.zeros((60, 3)), torch.full((60, 4), 0.25), torch.tensor([1.5, -0.5, 0.0]).repeat(60, 1)):
        with pytest.raises(BadInput, match="a probability of each class for every image"):
            next(teach_itself(images, codes, num_classes=3, recipe=recipe(), seed=0, beforehand=wrong))


def test_nothing_is_taught_below_the_confidence(toy_images):
    images, _truth, codes = few_labels(toy_images)
    assert next(steps_of(images, codes, confidence=1.0)).taught_loss == 0


def test_a_loss_that_is_not_finite_stops_before_the_update(toy_images):
    images, _truth, codes = few_labels(toy_images)
    steps = steps_of(images, codes)
    state = next(steps).state
    before = torch.cat([one.detach().flatten() for one in state.network.parameters()])
    next(state.network.head.parameters()).register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(FloatingPointError, match="step 2: losses and gradient must be finite"):
        next(steps)
    assert torch.equal(before, torch.cat([one.detach().flatten() for one in state.network.parameters()]))


def test_no_label_at_all_and_a_class_without_one_are_refused(toy_images):
    images, _truth, codes = few_labels(toy_images)
    with pytest.raises(BadInput, match="at least one with a label"):
        next(steps_of(images, torch.full_like(codes, -1)))
    with pytest.raises(ValueError, match="every class must have a record"):
        next(teach_itself(images, codes, num_classes=4, recipe=recipe(), seed=0))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("learning_rate", 0.0, "above 0"),
        ("weight_decay", -1.0, "not be negative"),
        ("confidence", 1.5, r"\[0, 1\]"),
        ("ema_decay", 1.0, r"\[0, 1\)"),
    ],
)
def test_values_out_of_range_are_refused_by_name(key, value, words):
    with pytest.raises(ValueError, match=f"{key} must .*{words}"):
        recipe(**{key: value})
