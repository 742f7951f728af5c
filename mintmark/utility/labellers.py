"""Students whose labeller has seen the unlabelled records too: a semi-supervised GAN, and its controls without one.

spread_student    labels spread from neighbour to neighbour in pixels: nothing is learnt
network_student   labelled by the discriminator's network, trained on the labelled records alone: no GAN
gan_student       labelled by the discriminator of a semi-supervised GAN

Only what the last gains over all the others, and over the students of `mintmark.utility.students`, is the GAN's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from mintmark.data.images import ImageSet, to_unit
from mintmark.semi_supervised.model import fit_semi_supervised
from mintmark.semi_supervised.propagation import Spreading, spread_labels
from mintmark.semi_supervised.recipe import Recipe
from mintmark.utility.students import SELF_TRAINED, SUPERVISED_STUDENT, Labelled, Lesson, School, Student, open_school

NETWORK_STUDENT, GAN_STUDENT = "network_student", "gan_student"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlabelled:
    """How students learn from unlabelled training records.

    Attributes:
        share: Of their batches, that softly labelled records take.
        spreading: Of the control that learns nothing.
        gan: Of the semi-supervised GAN; see `mintmark.semi_supervised.recipe`.
    """

    share: float
    spreading: Spreading
    gan: Recipe

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"share must lie between 0 and 1, got {self.share}")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all students."""
        return tuple(one.name for one in students_with_gan(self.spreading, self.gan))

    def school(self, train: ImageSet) -> School:
        """The students, for these training records, labelled and not."""
        return open_school(train, share=self.share, students=students_with_gan(self.spreading, self.gan))

    def cost(self, students: Iterable[str], *, num_seeds: int) -> dict[str, float]:
        """Steps of the GAN and of its network alone, beyond the budget of the arms, where these students took part."""
        networks = len({NETWORK_STUDENT, GAN_STUDENT} & set(students)) * num_seeds
        return {"labeller_steps": float(networks * self.gan.steps)}


def students_with_gan(spreading: Spreading, recipe: Recipe) -> tuple[Student, ...]:
    """All students, the GAN's last; it must beat every other and the tuned classical augmentation.

    Args:
        spreading: Of the control that learns nothing.
        recipe: Of the GAN; its network alone, for as many steps, is a control.
    """
    controls = (
        SUPERVISED_STUDENT,
        SELF_TRAINED,
        Student(
            name="spread_student",
            meaning="trained on labelled records, and on unlabelled ones that neighbours labelled",
            label=partial(spread, spreading=spreading),
            rivals=("augmented",),
            is_control=True,
        ),
        Student(
            name=NETWORK_STUDENT,
            meaning="trained on labelled records, and on unlabelled ones that the GAN's network without a GAN labelled",
            label=partial(by_network, recipe=replace(recipe, adversarial_weight=0.0)),
            rivals=("augmented",),
            is_control=True,
        ),
    )
    gan = Student(
        name=GAN_STUDENT,
        meaning="trained on labelled records, and on unlabelled ones that a semi-supervised GAN labelled",
        label=partial(by_network, recipe=recipe),
        rivals=("augmented", *(one.name for one in controls)),
        is_control=False,
    )
    return (*controls, gan)


def spread(lesson: Lesson, *, spreading: Spreading) -> Labelled:
    """The unlabelled records as their neighbours in pixels see them."""
    images, codes = _all(lesson)
    beliefs = spread_labels(
        images.flatten(1),
        codes,
        num_classes=len(lesson.labelled.classes),
        neighbours=min(spreading.neighbours, len(images)),
        alpha=spreading.alpha,
    )
    return Labelled(lesson.unlabelled.images, beliefs[len(lesson.labelled) :].numpy())


def by_network(lesson: Lesson, *, recipe: Recipe) -> Labelled:
    """The unlabelled records as a network of the recipe sees them, trained on all records with the lesson's seed."""
    images, codes = _all(lesson)
    model = fit_semi_supervised(
        images, codes, num_classes=len(lesson.labelled.classes), recipe=recipe, seed=lesson.seed
    )
    return Labelled(lesson.unlabelled.images, model.probabilities(to_unit(lesson.unlabelled.images)).numpy())


def _all(lesson: Lesson) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and codes of labelled and unlabelled records, in this order."""
    images = np.concatenate([lesson.labelled.images, lesson.unlabelled.images])
    codes = np.concatenate([lesson.labelled.codes, lesson.unlabelled.codes])
    return to_unit(images), torch.from_numpy(codes)
