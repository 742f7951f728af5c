"""Further arms where unlabelled training records exist: students who learn another model's soft labels.

A student trains on the labelled records, bent by the tuned augmentation, with a share of every batch taken by records
that somebody labelled softly; budget, seeds and draws are those of all arms. `mintmark.utility.labellers` adds those
of a semi-supervised GAN. Controls without a GAN always run beside it, or it would take the credit for what any labeller
achieves; two of them:

self_trained         the unlabelled records, labelled by the same seed's network of the arm `augmented`
supervised_student   the labelled records, labelled by that same network: what a student gains by the labels' softness
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.networks import Classifier
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.fan_out import fan_out
from mintmark.progress import track
from mintmark.utility.arms import Addition, Fit
from mintmark.utility.crew import Crew, probabilities


class Lesson(NamedTuple):
    """What a labeller may see, for one seed.

    Attributes:
        seed: Of the training.
        labelled: Training records.
        unlabelled: Training records whose codes are -1.
        teacher: The same seed's network of the arm `augmented`.
    """

    seed: int
    labelled: ImageSet
    unlabelled: ImageSet
    teacher: Classifier


class Labelled(NamedTuple):
    """What a labeller hands to its student."""

    images: UInt8[np.ndarray, "n height width channels"]
    beliefs: Float[np.ndarray, "n classes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Student:
    """An arm.

    Attributes:
        name: Of the arm; no other has it.
        meaning: What it was trained on, as the end of a sentence.
        label: Labels what the student learns from.
        rivals: The arms that it must beat, every one.
        is_control: Whether it needs no GAN: then it is a rival of whatever comes of one.
    """

    name: str
    meaning: str
    label: Callable[[Lesson], Labelled]
    rivals: tuple[str, ...]
    is_control: bool


def self_trained(lesson: Lesson) -> Labelled:
    """The unlabelled records as the teacher sees them."""
    return Labelled(lesson.unlabelled.images, probabilities(lesson.teacher, lesson.unlabelled))


def supervised(lesson: Lesson) -> Labelled:
    """The labelled records as the teacher sees them."""
    return Labelled(lesson.labelled.images, probabilities(lesson.teacher, lesson.labelled))


SUPERVISED_STUDENT = Student(
    name="supervised_student",
    meaning="trained on labelled records, with the soft labels of a network trained on them",
    label=supervised,
    rivals=("augmented",),
    is_control=True,
)
SELF_TRAINED = Student(
    name="self_trained",
    meaning="trained on labelled records, and on unlabelled ones that a network trained on the labelled ones labelled",
    label=self_trained,
    rivals=("augmented", "supervised_student"),
    is_control=True,
)
STUDENTS = (SUPERVISED_STUDENT, SELF_TRAINED)


@dataclass(frozen=True, kw_only=True, slots=True)
class School:
    """The students of a contest, and what they share.

    Attributes:
        students: In their order; none where there is nothing unlabelled.
        unlabelled: Training records whose codes are -1.
        share: Of every batch that the softly labelled records take, above 0 and below 1.
    """

    students: Sequence[Student]
    unlabelled: ImageSet
    share: float

    def fits(
        self,
        labelled: ImageSet,
        *,
        teachers: Sequence[Classifier],
        seeds: Sequence[int],
        recipe: Recipe,
        augmentation: Augmentation,
        crew: Crew,
    ) -> list[Fit]:
        """What each student trains on, with all seeds, student by student; the labellers may take long.

        Args:
            labelled: The training records.
            teachers: Each seed's network of the arm `augmented`.
            seeds: Of the contest.
            recipe: Of the contest; its own augmentation is replaced by the tuned one.
            augmentation: The tuned one.
            crew: Who labels.
        """
        lessons = [Lesson(seed, labelled, self.unlabelled, one) for seed, one in zip(seeds, teachers, strict=True)]
        taught = [(student, lesson) for student in self.students for lesson in lessons]
        jobs = (partial(_label, student, lesson, threads=crew.threads) for student, lesson in taught)
        answers = track(fan_out(jobs, workers=crew.workers), "labellers", total=len(taught))
        return [
            Fit(
                name=student.name,
                seed=lesson.seed,
                images=labelled.images,
                codes=labelled.codes,
                addition=Addition(*answer, self.share),
                recipe=replace(recipe, augmentation=augmentation),
                num_classes=len(labelled.classes),
            )
            for (student, lesson), answer in zip(taught, answers, strict=True)
        ]


def _label(student: Student, lesson: Lesson, *, threads: int) -> Labelled:
    torch.set_num_threads(threads)
    return student.label(lesson)


def open_school(train: ImageSet, *, share: float, students: Sequence[Student] = STUDENTS) -> School:
    """The school for the training records, labelled and not; without students where none is unlabelled."""
    unlabelled = train.take(train.codes < 0)
    return School(students=students if len(unlabelled) else (), unlabelled=unlabelled, share=share)
