"""Training of shadow GANs, one a call, into files; calls are independent and may run anywhere.

Knows nothing of coins beyond the records it is given.
"""

import itertools
from pathlib import Path

import torch

from mintmark.data.images import ImageSet
from mintmark.gan import private_training
from mintmark.gan.model import save_discriminator, save_generator
from mintmark.gan.training import train
from mintmark.shadow.recipes import GanRecipe
from mintmark.shadow.store import gan_paths


def train_shadow_gan(
    images: ImageSet, *, recipe: GanRecipe, seed: int, folder: Path, name: str, threads: int, device: torch.device
) -> None:
    """Train one GAN on these records, of which every class has one, and write its generator and discriminator."""
    torch.set_num_threads(threads)
    pixels, codes = (tensor.to(device) for tensor in images.labelled().tensors())
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
