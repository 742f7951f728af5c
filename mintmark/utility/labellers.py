"""Students whose labeller has seen the unlabelled records too: a semi-supervised GAN, and its controls without one.

spread_student    labels spread from neighbour to neighbour in pixels: nothing is learnt
network_student   labelled by the discriminator's network, trained on the labelled records alone, and by neighbours: no GAN
gan_student       labelled by the discriminator of a semi-supervised GAN, and by neighbours

The last two average two beliefs, and leave out what they are not sure of together.

Only what the last gains over all the others, and over the students of `mintmark.utility.students`, is the GAN's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mintmark.data.images import ImageSet
from mintmark.semi_supervised.propagation import Spreading, spread_labels
from mintmark.semi_supervised.pseudo_labels import PseudoLabels, beliefs
from mintmark.semi_supervised.recipe import Recipe
from mintmark.utility.students import SELF_TRAINED, SUPERVISED_STUDENT, Labelled, Lesson, School, Student, open_school

NETWORK_STUDENT, GAN_STUDENT = "network_student", "gan_student"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlabelled:
    """How students learn from unlabelled training records.

    Attributes:
        share: Of their batches, that softly labelled records take.
        confidence: The least averaged belief in a class with which a record is taught to the last two students.
        spreading: Of the labeller that learns nothing.
        gan: Of the semi-supervised GAN; see `mintmark.semi_supervised.recipe`.
    """

    share: float
    confidence: float
    spreading: Spreading
    gan: Recipe

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"share must lie between 0 and 1, got {self.share}")
        self.labels()  # which checks the confidence

    def labels(self) -> PseudoLabels:
        """How the last student's records come by their labels."""
        return PseudoLabels(confidence=self.confidence, spreading=self.spreading, gan=self.gan)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all students."""
        return tuple(one.name for one in students_with_gan(self.labels()))

    def school(self, train: ImageSet) -> School:
        """The students, for these training records, labelled and not."""
        return open_school(train, share=self.share, students=students_with_gan(self.labels()))

    def cost(self, students: Iterable[str], *, num_seeds: int) -> dict[str, float]:
        """Steps of the GAN and of its network alone, beyond the budget of the arms, where these students took part."""
        networks = len({NETWORK_STUDENT, GAN_STUDENT} & set(students)) * num_seeds
        return {"labeller_steps": float(networks * self.gan.steps)}


def students_with_gan(how: PseudoLabels) -> tuple[Student, ...]:
    """All students, the GAN's last; it must beat every other and the tuned classical augmentation.

    Args:
        how: How the last one's records are labelled; the same with the GAN's network alone, for as many steps, is a
            control, and so are neighbours alone.
    """
    without_gan = replace(how, gan=replace(how.gan, adversarial_weight=0.0))
    controls = (
        SUPERVISED_STUDENT,
        SELF_TRAINED,
        Student(
            name="spread_student",
            meaning="trained on labelled records, and on unlabelled ones that neighbours labelled",
            label=partial(spread, spreading=how.spreading),
            rivals=("augmented",),
            is_control=True,
        ),
        Student(
            name=NETWORK_STUDENT,
            meaning="trained on labelled records, and on unlabelled ones that neighbours and a network without a GAN labelled",
            label=partial(surely, how=without_gan),
            rivals=("augmented",),
            is_control=True,
        ),
    )
    gan = Student(
        name=GAN_STUDENT,
        meaning="trained on labelled records, and on unlabelled ones that neighbours and a semi-supervised GAN labelled",
        label=partial(surely, how=how),
        rivals=("augmented", *(one.name for one in controls)),
        is_control=False,
    )
    return (*controls, gan)


def spread(lesson: Lesson, *, spreading: Spreading) -> Labelled:
    """The unlabelled records as their neighbours in pixels see them."""
    images, codes = _all(lesson).tensors()
    found = spread_labels(
        images.flatten(1),
        codes,
        num_classes=len(lesson.labelled.classes),
        neighbours=min(spreading.neighbours, len(images)),
        alpha=spreading.alpha,
    )
    return Labelled(lesson.unlabelled.images, found[len(lesson.labelled) :].numpy())


def surely(lesson: Lesson, *, how: PseudoLabels) -> Labelled:
    """The unlabelled records of which two labellers together are sure, or all where they are sure of none.

    The one that learns is trained with the lesson's seed.
    """
    found = beliefs(_all(lesson), how, seed=lesson.seed)[len(lesson.labelled) :]
    sure = found.max(axis=1) >= how.confidence
    sure = sure if sure.any() else np.ones_like(sure)
    return Labelled(lesson.unlabelled.images[sure], found[sure])


def _all(lesson: Lesson) -> ImageSet:
    """Labelled and unlabelled records, in this order."""
    labelled, unlabelled = lesson.labelled, lesson.unlabelled
    return ImageSet(
        ids=[*labelled.ids, *unlabelled.ids],
        codes=np.concatenate([labelled.codes, unlabelled.codes]),
        images=np.concatenate([labelled.images, unlabelled.images]),
        classes=labelled.classes,
    )
