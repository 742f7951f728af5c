"""Training of shadow models, one a call, into files; calls are independent and may run anywhere.

Knows nothing of coins beyond the records it is given.
"""

import itertools
from pathlib import Path

import torch

from mintmark.classify.model import save_classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet
from mintmark.gan.model import save_discriminator, save_generator
from mintmark.gan.training import train
from mintmark.shadow.recipes import GanRecipe
from mintmark.shadow.store import classifier_path, gan_paths


def train_shadow_classifier(
    images: ImageSet, *, recipe: Recipe, seed: int, folder: Path, name: str, threads: int
) -> None:
    """Train one classifier on these records and write it."""
    torch.set_num_threads(threads)
    pixels, codes = images.tensors()
    network = train_classifier(pixels, codes, num_classes=len(images.classes), recipe=recipe, seed=seed)
    facts = {"steps": recipe.steps, "seed": seed}
    save_classifier(classifier_path(folder, name), network, classes=images.classes, facts=facts)


def train_shadow_gan(images: ImageSet, *, recipe: GanRecipe, seed: int, folder: Path, name: str, threads: int) -> None:
    """Train one GAN on these records, of which every class has one, and write its generator and discriminator."""
    torch.set_num_threads(threads)
    pixels, codes = images.labelled().tensors()
    endless = train(pixels, codes, config=recipe.config, seed=seed, num_classes=len(images.classes))
    *_, last = itertools.islice(endless, recipe.steps)
    facts = {"steps": recipe.steps, "seed": seed}
    generator_path, discriminator_path = gan_paths(folder, name)
    save_generator(generator_path, last.state.average, classes=images.classes, facts=facts)
    save_discriminator(discriminator_path, last.state.discriminator, classes=images.classes, facts=facts)
