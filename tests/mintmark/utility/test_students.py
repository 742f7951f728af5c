"""Students: who labels what they learn from, when they run, and that a better labeller makes a better student."""

from dataclasses import replace

import numpy as np
import pytest

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.networks import SmallCNN
from mintmark.utility.contest import Plan, hold, outcome, settle
from mintmark.utility.crew import probabilities
from mintmark.utility.findings import find
from mintmark.utility.stopping import Looks
from mintmark.utility.students import STUDENTS, Labelled, Lesson, Student, open_school
from mintmark.utility.told import facts, measurements


def hidden(images):
    """The same records without labels."""
    return replace(images, codes=np.full(len(images), -1))


def test_students_run_only_where_something_is_unlabelled(toy_images):
    assert open_school(toy_images(num=9), share=0.5).students == ()
    mixed = replace(toy_images(num=9), codes=np.array([0, 1, 2, -1, -1, 0, 1, 2, 0]))
    school = open_school(mixed, share=0.5)
    assert [one.name for one in school.students] == ["supervised_student", "self_trained"]
    assert school.unlabelled.ids == mixed.ids[3:5]


def test_a_student_learns_labelled_records_and_what_was_labelled_for_it(toy_images, recipe, crew):
    labelled, unlabelled = toy_images(num=9), hidden(toy_images(num=12, seed=1))
    school = replace(open_school(unlabelled, share=0.25), students=STUDENTS)
    teachers = [SmallCNN((8, 8, 1), 3, 2).eval() for _ in range(2)]
    bent = Augmentation(shift=0.1)
    fits = school.fits(labelled, teachers=teachers, seeds=[4, 5], recipe=recipe, augmentation=bent, crew=crew)
    named = [(one.name, one.seed) for one in fits]
    assert named == [(name, seed) for name in ("supervised_student", "self_trained") for seed in (4, 5)]
    for fit, teacher, pool in zip(fits, teachers * 2, [labelled] * 2 + [unlabelled] * 2, strict=True):
        assert fit.images is labelled.images
        assert fit.recipe == replace(recipe, augmentation=bent)
        assert fit.addition is not None
        assert np.array_equal(fit.addition.images, pool.images)
        assert fit.addition.share == 0.25
        assert np.array_equal(fit.addition.labels, probabilities(teacher, pool))


def test_a_labeller_that_knows_more_is_found_to_help(scarce, recipe, choices, crew):
    """An arm added from outside, labelled by the truth about a thousand records, beats both controls on twenty."""
    material, test = scarce
    truth = np.eye(10, dtype=np.float32)[material.release.codes]

    def knowing(lesson: Lesson) -> Labelled:
        return Labelled(lesson.unlabelled.images, truth)

    rivals = ("augmented", "supervised_student", "self_trained")
    informed = Student(name="informed", meaning="told the truth", label=knowing, rivals=rivals, is_control=False)
    school = open_school(hidden(material.release), share=0.5, students=(*STUDENTS, informed))
    plan = Plan(material=material, choices=choices, recipe=recipe, control_seed=0, crew=crew, school=school)
    seeds, looks = [1, 2, 3, 4, 5], Looks((5,))
    settled = settle(hold(plan, seeds=seeds), plan, test, seeds=seeds, looks=looks, margin=0.01)
    findings = find(
        settled,
        {10: settled.outcomes["half"]},
        on_release=outcome(settled.contest.networks["real"], material.release),
        test=test,
        num_train=len(material.train),
        margin=0.01,
        kept="informed",
        students=plan.students,
    )
    assert findings.students["informed"].verdict == "helps"
    assert findings.students["informed"].p_value < 0.05
    assert findings.accuracies["self_trained"].value > 0.3
    assert settled.contest.rivals == ("real", "augmented", "supervised_student", "self_trained")
    assert findings.kept_verdict == "helps"
    told = {one.name: one for one in measurements(findings, num_test=len(test), num_release=len(material.release))}
    assert told["informed_difference"].low is not None
    assert told["informed_difference"].low > 0.01
    assert told["self_trained_accuracy"].value == pytest.approx(settled.outcomes["self_trained"].mean())
    assert facts(findings, settled)["students"]["informed"]["rivals"] == list(rivals)
