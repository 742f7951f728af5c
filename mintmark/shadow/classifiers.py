"""Training of shadow classifiers into files, one by one or in stacks; calls are independent and may run anywhere.

Knows nothing of coins beyond the records it is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mintmark.classify.model import save_classifier
from mintmark.classify.networks import Classifier
from mintmark.classify.stacked import Lesson, train_together
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet, synthetic_ids, to_bytes
from mintmark.gan.model import load_generator
from mintmark.gan.sampling import sample
from mintmark.shadow.store import classifier_path

Job = Callable[[], None]
STACK = 16  # classifiers trained together: whatever the number of workers, so that workers change nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """What a generator teaches, as the target was taught by a release: so many of its samples."""

    generator_path: Path
    num_records: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pupil:
    """A shadow classifier to be: its name, its seed, and what it learns from."""

    name: str
    seed: int
    source: ImageSet | Taught

    def records(self) -> ImageSet:
        """The records that it learns."""
        if isinstance(self.source, ImageSet):
            return self.source
        generator = load_generator(self.source.generator_path)
        codes = np.arange(self.source.num_records) % len(generator.classes)
        images = np.concatenate([to_bytes(batch) for batch in sample(generator.network, codes, seed=self.seed)])
        return ImageSet(
            ids=synthetic_ids(images, first=0), codes=codes.astype(np.int64), images=images, classes=generator.classes
        )


def jobs_one_by_one(
    pupils: Sequence[Pupil], *, recipe: Recipe, folder: Path, threads: int, device: torch.device
) -> list[Job]:
    """A job a classifier: it trains it and writes it."""
    return [partial(_train, pupil, recipe=recipe, folder=folder, threads=threads, device=device) for pupil in pupils]


def jobs_in_stacks(
    pupils: Sequence[Pupil], *, recipe: Recipe, folder: Path, threads: int, device: torch.device
) -> list[Job]:
    """A job for each `STACK` classifiers: it trains them together and writes them."""
    return [
        partial(
            _train_stack, pupils[place : place + STACK], recipe=recipe, folder=folder, threads=threads, device=device
        )
        for place in range(0, len(pupils), STACK)
    ]


def _train(pupil: Pupil, *, recipe: Recipe, folder: Path, threads: int, device: torch.device) -> None:
    torch.set_num_threads(threads)
    records = pupil.records()
    images, codes = records.tensors()
    network = train_classifier(
        images, codes, num_classes=len(records.classes), recipe=recipe, seed=pupil.seed, device=device
    )
    _save(folder, pupil, network, classes=records.classes, recipe=recipe)


def _train_stack(pupils: Sequence[Pupil], *, recipe: Recipe, folder: Path, threads: int, device: torch.device) -> None:
    torch.set_num_threads(threads)
    records = [pupil.records() for pupil in pupils]
    classes = records[0].classes
    lessons = [Lesson(*some.tensors(), pupil.seed) for some, pupil in zip(records, pupils, strict=True)]
    networks = train_together(lessons, num_classes=len(classes), recipe=recipe, device=device)
    for pupil, network in zip(pupils, networks, strict=True):
        _save(folder, pupil, network, classes=classes, recipe=recipe)


def _save(folder: Path, pupil: Pupil, network: Classifier, *, classes: tuple[str, ...], recipe: Recipe) -> None:
    facts = {"steps": recipe.steps, "seed": pupil.seed}
    save_classifier(classifier_path(folder, pupil.name), network, classes=classes, facts=facts)
