"""Every sign of a GAN gone wrong, of one training. Knows nothing of files or stages."""

import numpy as np
import torch

from mintmark.data.images import ImageSet
from mintmark.gan import diagnosis
from mintmark.gan.sampling import sample
from mintmark.gan.signs import Signs, convergence_signs, coverage_signs, memory_signs, spread_signs
from mintmark.gan.state import State

MOST_SAMPLES, MOST_VALUES = 10_000, 2**28  # of which collapse is told, in images and in pixels


def signs_of(state: State, rows: torch.Tensor, train_set: ImageSet, validation: ImageSet, *, seed: int) -> list[Signs]:
    """Of as many samples as there are training records, in the same classes, but at most `MOST_SAMPLES`.

    Args:
        state: After training.
        rows: The history.
        train_set: What was learnt from.
        validation: Labelled records that were not.
        seed: Of samples and bootstraps.
    """
    most = max(1, min(MOST_SAMPLES, MOST_VALUES // int(np.prod(train_set.shape))))
    judged = [
        diagnosis.logits(state.discriminator, *evenly_spaced(part, most).tensors()) for part in (train_set, validation)
    ]
    real, _ = evenly_spaced(validation, most).tensors()
    known, codes = evenly_spaced(train_set, most).tensors()
    samples = torch.cat(list(sample(state.average.cpu(), codes.numpy(), seed=seed)))
    return [
        memory_signs(*judged, rng=np.random.default_rng(seed)),
        coverage_signs(real, samples, known),
        spread_signs(samples, codes, known, codes, train_set.classes),
        convergence_signs(rows),
    ]


def evenly_spaced(images: ImageSet, most: int) -> ImageSet:
    """At most so many records."""
    return images.take(np.linspace(0, len(images) - 1, min(len(images), most)).astype(np.int64))
