"""Positive controls of the models: networks that know their training records by heart.

Knows nothing of attacks or files.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from mintmark.classify.networks import Classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet
from mintmark.gan.networks import Discriminator
from mintmark.privacy.parties import Parties, at_most


@dataclass(frozen=True, kw_only=True, slots=True)
class Drill:
    """How a discriminator is trained on its own, without a generator and without augmentation.

    Attributes:
        steps: Gradient steps.
        batch_size: Records of each side a step.
        learning_rate: Adam's.
        width: Channels of the discriminator's first layer.
    """

    steps: int
    batch_size: int
    learning_rate: float
    width: int

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")


def drill_discriminator(real: ImageSet, fake: ImageSet, *, drill: Drill, seed: int) -> Discriminator:
    """A discriminator taught to call some labelled images real and others fake, until the steps are used up.

    Args:
        real: Labelled images.
        fake: Labelled images of the same shape and classes.
        drill: How.
        seed: Of the weights and the batches.

    Returns:
        In eval mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Discriminator(shape=real.shape, num_classes=len(real.classes), width=drill.width)
    rng = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=drill.learning_rate)
    sides = [(*side.tensors(), sign) for side, sign in ((real.labelled(), 1.0), (fake.labelled(), -1.0))]
    for _ in range(drill.steps):
        loss = torch.zeros(())
        for images, codes, sign in sides:
            rows = torch.randint(len(images), (drill.batch_size,), generator=rng)
            loss = loss + functional.softplus(-sign * network(images[rows], codes[rows])).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def overfit_discriminator(release: ImageSet, parties: Parties, *, drill: Drill, seed: int) -> Discriminator:
    """A discriminator that knows the members by heart.

    Its fakes are release records and, with equal weight, bystanders: real records that were not trained on. Release
    records alone could be told from members by their look, and nothing would have to be learnt by heart.
    """
    rng = np.random.default_rng([seed, 4])
    bystanders = parties.bystanders.labelled()
    some = at_most(release.labelled(), max(1, len(bystanders)), rng=rng)
    fake = ImageSet(
        ids=[*some.ids, *bystanders.ids],
        codes=np.concatenate([some.codes, bystanders.codes]),
        images=np.concatenate([some.images, bystanders.images]),
        classes=some.classes,
    )
    return drill_discriminator(parties.members, fake, drill=drill, seed=seed)


def random_labels(images: ImageSet, *, rng: np.random.Generator) -> ImageSet:
    """The same images under labels drawn at random, which can only be learnt by heart."""
    codes = rng.integers(0, max(2, len(images.classes)), len(images))
    return ImageSet(ids=images.ids, codes=codes, images=images.images, classes=images.classes)


def memorising_classifier(members: ImageSet, *, recipe: Recipe, seed: int) -> Classifier:
    """A classifier trained on members under their random labels."""
    images, codes = members.tensors()
    return train_classifier(images, codes, num_classes=max(2, len(members.classes)), recipe=recipe, seed=seed)
