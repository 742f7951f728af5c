"""The pipeline's default generator, trained on any images, and what it draws."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mintmark.data.images import ImageSet, synthetic_ids, to_bytes
from mintmark.gan.config import Recipe
from mintmark.gan.sampling import sample
from mintmark.gan.training import train
from mintmark.progress import track
from tasks.params import load
from tasks.train_gan import Params


def default_recipe(**changes: Any) -> Recipe:
    """The recipe of params.yaml, sizes by the images, with some fields changed."""
    return replace(load("train_gan", Params).recipe, **{"discriminator_width": "auto", **changes})


def synthesise(images: ImageSet, *, recipe: Recipe, steps: int, num: int, seed: int) -> ImageSet:
    """Train on labelled images for so many steps, and draw `num` images, as many of each class."""
    torch.set_num_threads(1)
    num_classes = len(images.classes)
    config = recipe.settled(images.shape, num_records=len(images))
    pixels, codes = images.byte_tensors()
    endless = train(pixels, codes, config=config, seed=seed, num_classes=num_classes)
    *_, last = track(itertools.islice(endless, steps), "gan-steps", total=steps)
    wanted = np.arange(num) % num_classes
    drawn = np.concatenate([to_bytes(batch) for batch in sample(last.state.average, wanted, seed=seed)])
    return ImageSet(ids=synthetic_ids(drawn, first=0), codes=wanted, images=drawn, classes=images.classes)
