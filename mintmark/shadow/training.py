"""Training of shadow models, one a call, into files; calls are independent and may run anywhere.

Knows nothing of coins beyond the records it is given.
"""

import itertools
from pathlib import Path

import numpy as np
import torch

from mintmark.classify.model import save_classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet, synthetic_ids, to_bytes
from mintmark.gan import private_training
from mintmark.gan.model import load_generator, save_discriminator, save_generator
from mintmark.gan.sampling import sample
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


def train_taught_classifier(
    generator_path: Path, *, num_records: int, recipe: Recipe, seed: int, folder: Path, name: str, threads: int
) -> None:
    """Train one classifier on so many samples of a shadow generator, as a target taught by a release was, and write it."""
    generator = load_generator(generator_path)
    codes = np.arange(num_records) % len(generator.classes)
    images = np.concatenate([to_bytes(batch) for batch in sample(generator.network, codes, seed=seed)])
    release = ImageSet(
        ids=synthetic_ids(images, first=0), codes=codes.astype(np.int64), images=images, classes=generator.classes
    )
    train_shadow_classifier(release, recipe=recipe, seed=seed, folder=folder, name=name, threads=threads)


def train_shadow_gan(images: ImageSet, *, recipe: GanRecipe, seed: int, folder: Path, name: str, threads: int) -> None:
    """Train one GAN on these records, of which every class has one, and write its generator and discriminator."""
    torch.set_num_threads(threads)
    pixels, codes = images.labelled().tensors()
    how = {"config": recipe.config, "seed": seed, "num_classes": len(images.classes)}
    if recipe.privacy is None:
        endless = train(pixels, codes, **how)
    else:
        endless = private_training.train(pixels, codes, spending=recipe.privacy, **how)
    *_, last = itertools.islice(endless, recipe.steps)
    facts = {"steps": recipe.steps, "seed": seed}
    generator_path, discriminator_path = gan_paths(folder, name)
    save_generator(generator_path, last.state.average, classes=images.classes, facts=facts)
    save_discriminator(discriminator_path, last.state.discriminator, classes=images.classes, facts=facts)
