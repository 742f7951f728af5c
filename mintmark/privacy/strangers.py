"""Negative controls: models that never saw a member or a non-member, so that every attack on them must be at chance.

Each learns from bystanders alone, and not even from the target's samples, for those may leak. Knows nothing of attacks.
"""

import numpy as np
import torch

from mintmark.classify.networks import Classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet, synthetic_ids
from mintmark.gan.family import AnyGenerator
from mintmark.gan.networks import Discriminator
from mintmark.privacy.memorised import Drill, drill_discriminator

NOISE = 8.0  # grey levels; keeps a mixture of a record with itself from being a copy


def mixtures(bystanders: ImageSet, *, num: int, rng: np.random.Generator) -> ImageSet:
    """The release of a cheap generator: mixtures of two records of one class, under a little noise.

    Each call learns from a random half of the bystanders, so that repeated draws are generators of their own.

    Args:
        bystanders: What the generator learns from.
        num: How many samples; classes come in turn.
        rng: Of the half, the pairs, the weights and the noise.
    """
    half = bystanders.take(np.sort(rng.permutation(len(bystanders))[: max(1, (len(bystanders) + 1) // 2)]))
    present = np.unique(half.codes)
    codes = present[np.arange(num) % len(present)]
    rows = np.empty((2, num), np.int64)
    for code in present.tolist():
        wanted = codes == code
        rows[:, wanted] = rng.choice(np.flatnonzero(half.codes == code), (2, int(wanted.sum())))
    weight = rng.random(num)[:, None, None, None]
    mixed = weight * half.images[rows[0]] + (1 - weight) * half.images[rows[1]]
    noisy = mixed + NOISE * rng.normal(size=mixed.shape)
    images = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return ImageSet(ids=synthetic_ids(images, first=0), codes=codes, images=images, classes=half.classes)


def untrained_generator(like: AnyGenerator, *, seed: int) -> AnyGenerator:
    """A generator of the same architecture with its first weights, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = type(like)(**like.architecture)
    return network.eval().requires_grad_(requires_grad=False)


def stranger_discriminator(bystanders: ImageSet, *, drill: Drill, seed: int) -> Discriminator:
    """A discriminator that tells bystanders from mixtures of bystanders."""
    fake = mixtures(bystanders.labelled(), num=4 * len(bystanders), rng=np.random.default_rng([seed, 5]))
    return drill_discriminator(bystanders, fake, drill=drill, seed=seed)


def stranger_classifier(bystanders: ImageSet, *, recipe: Recipe, seed: int) -> Classifier:
    """A classifier of bystanders."""
    images, codes = bystanders.labelled().tensors()
    return train_classifier(images, codes, num_classes=max(2, len(bystanders.classes)), recipe=recipe, seed=seed)
