"""Classifiers trained together come out as they would alone."""

from functools import partial

import pytest
import torch

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.networks import Classifier, LinearClassifier, SmallCNN
from mintmark.classify.stacked import Lesson, train_together
from mintmark.classify.training import Recipe, train_classifier
from mintmark.errors import BadInput

SHAPE = (6, 6, 1)
RECIPE = Recipe(
    steps=8,
    batch_size=8,
    learning_rate=1e-2,
    weight_decay=0.1,
    width=4,
    augmentation=Augmentation(shift=0.2, mixup=0.3),
)


def lesson(seed: int, num: int = 20) -> Lesson:
    rng = torch.Generator().manual_seed(seed)
    images = torch.rand((num, 1, 6, 6), generator=rng) * 2 - 1
    return Lesson(images, torch.randint(3, (num,), generator=rng), seed)


@pytest.mark.parametrize("make", [None, partial(LinearClassifier, SHAPE, 3)])
def test_each_comes_out_as_it_would_alone(make) -> None:
    lessons = [lesson(0), lesson(1, num=9), lesson(2)]
    together = train_together(lessons, num_classes=3, recipe=RECIPE, make=make)
    for one, network in zip(lessons, together, strict=True):
        alone = train_classifier(one.images, one.codes, num_classes=3, recipe=RECIPE, seed=one.seed, make=make)
        assert not network.training
        assert type(network) is type(alone)
        for name, tensor in alone.state_dict().items():
            torch.testing.assert_close(network.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


def test_they_differ_from_one_another_and_keep_their_running_means() -> None:
    one, other = train_together([lesson(0), lesson(1)], num_classes=3, recipe=RECIPE)
    assert isinstance(one, SmallCNN)
    assert isinstance(other, SmallCNN)
    mine, yours = one.state_dict(), other.state_dict()
    assert int(mine["body.1.num_batches_tracked"]) == RECIPE.steps
    assert not torch.equal(mine["body.1.running_mean"], yours["body.1.running_mean"])
    assert not torch.equal(mine["head.weight"], yours["head.weight"])


def test_a_lesson_without_labels_is_refused() -> None:
    images, codes, seed = lesson(0)
    with pytest.raises(BadInput, match="at least one with a label"):
        train_together([lesson(1), Lesson(images, torch.full_like(codes, -1), seed)], num_classes=3, recipe=RECIPE)


class Burst(LinearClassifier):
    """Answers that are too large for a float."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) * torch.inf


def test_what_is_not_finite_is_refused() -> None:
    make: partial[Classifier] = partial(Burst, SHAPE, 3)
    with pytest.raises(FloatingPointError, match="step 1: losses and gradients must be finite"):
        train_together([lesson(0)], num_classes=3, recipe=RECIPE, make=make)
