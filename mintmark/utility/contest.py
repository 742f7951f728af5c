"""The contest of the arms: everything is trained, everything is chosen on validation, then the test is asked.

`hold` never sees a test record: it trains the first round of seeds and names the finalists. `settle` alone does. From
then on nothing is chosen, each network answers the test once, and what the answers decide is whether more seeds are
trained (`mintmark.utility.stopping`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mintmark.classify.networks import Classifier
from mintmark.classify.private_training import PrivateRecipe
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.utility.arms import ARMS, MIXED_ARMS, Arm, Fit, Material, arm_fit
from mintmark.utility.choices import Choices, Score, score, soft_labels
from mintmark.utility.comparison import Outcome, advantage
from mintmark.utility.controls import CONTROL_FITS, control_fits, judge_controls
from mintmark.utility.crew import Crew, probabilities, train_all
from mintmark.utility.private_arm import PRIVATE, train_private
from mintmark.utility.stopping import Looks, Reason, why_stop
from mintmark.utility.students import School, Student

RIVALS: tuple[Arm, ...] = ("real", "augmented")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that every round of seeds shares.

    Attributes:
        material: The records; no test record among them.
        choices: What was tuned beforehand.
        recipe: How everything is trained.
        control_seed: Of the controls' exchange of classes and halves, the same in every round.
        crew: Who trains.
        school: Further arms, where there are unlabelled records; None for no such arm.
        private: How the arm `private` is trained; None for no such arm.
    """

    material: Material
    choices: Choices
    recipe: Recipe
    control_seed: int
    crew: Crew
    school: School | None = None
    private: PrivateRecipe | None = None

    @property
    def students(self) -> Sequence[Student]:
        """The further arms."""
        return self.school.students if self.school else ()

    @property
    def rivals(self) -> tuple[str, ...]:
        """The arms that owe nothing to a GAN: what comes of one must beat them all."""
        return (*RIVALS, *(one.name for one in self.students if one.is_control))


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """All that was trained, and what validation said of the first round.

    Attributes:
        networks: By arm, control or student, in the order of the seeds.
        scores: The mean score of each arm and student on validation.
        synthetic_arm: The better of the mixed arms on validation: the one that the verdict is about.
        rivals: The arms that it must beat, every one.
    """

    networks: Mapping[str, Sequence[Classifier]]
    scores: Mapping[str, Score]
    synthetic_arm: Arm
    rivals: tuple[str, ...]

    @property
    def best_rival(self) -> str:
        """The best of the rivals on validation."""
        return max(self.rivals, key=lambda arm: self.scores[arm])

    def ask_test(self, test: ImageSet) -> dict[str, Outcome]:
        """Which test records each network of each arm and control answers rightly."""
        return {name: outcome(networks, test) for name, networks in self.networks.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """The contest once no more seeds are added.

    Attributes:
        contest: With the networks of all rounds.
        outcomes: On the test, of every arm and control.
        looks: The numbers of seeds at which the test was looked at.
        look: The look at which it ended, from 0.
        reason: Why it ended there.
    """

    contest: Contest
    outcomes: Mapping[str, Outcome]
    looks: Looks
    look: int
    reason: Reason


def hold(plan: Plan, *, seeds: Sequence[int]) -> Contest:
    """Train every arm and every control with every seed of the first round, and name the finalists on validation.

    Args:
        plan: What every round shares.
        seeds: At least two; every arm uses each of them.
    """
    networks = _round(plan, seeds)
    names = [*ARMS, *(one.name for one in plan.students), *([PRIVATE] if plan.private else [])]
    scores = {name: score(networks[name], plan.material.validation) for name in names}
    return Contest(
        networks=networks,
        scores=scores,
        synthetic_arm=max(MIXED_ARMS, key=lambda arm: scores[arm]),
        rivals=plan.rivals,
    )


def stand_ins(plan: Plan, contest: Contest, arm: str, *, seeds: Sequence[int]) -> Contest:
    """The contest with one arm alone, trained anew by the plan's crew, whose kind of classifier may be another."""
    fits = _arm_fits(plan, [one for one in ARMS if one == arm], seeds, teachers=contest.networks["augmented"])
    networks = train_all(fits, crew=plan.crew, label="stand-ins")
    return replace(contest, networks={arm: networks}, scores={arm: score(networks, plan.material.validation)})


def settle(
    contest: Contest, plan: Plan, test: ImageSet, *, seeds: Sequence[int], looks: Looks, margin: float
) -> Settled:
    """Ask the test, and add seeds look by look until there is an answer, or none to be had.

    Args:
        contest: The first round, with the first look's number of seeds.
        plan: That of the first round.
        test: The test records.
        seeds: As many as the last look has; the first round took the first of them.
        looks: When to look.
        margin: Gains up to this count as none.
    """
    outcomes = contest.ask_test(test)
    for look in range(len(looks)):
        if look:
            added = replace(contest, networks=_round(plan, seeds[looks.seeds[look - 1] : looks.seeds[look]]))
            new = added.ask_test(test)
            outcomes = {name: np.concatenate([old, new[name]]) for name, old in outcomes.items()}
            networks = {name: [*old, *added.networks[name]] for name, old in contest.networks.items()}
            contest = replace(contest, networks=networks)
        reason = _reason(contest, outcomes, look=look, looks=looks, margin=margin)
        if reason is not None:
            return Settled(contest=contest, outcomes=outcomes, looks=looks, look=look, reason=reason)
    raise AssertionError("the last look always ends the contest")


def outcome(networks: Sequence[Classifier], images: ImageSet) -> Outcome:
    """1 where a network answers a record rightly, else 0: one row a network, one column a record."""
    return np.stack([(probabilities(one, images).argmax(axis=1) == images.codes).astype(float) for one in networks])


def _reason(contest: Contest, outcomes: dict[str, Outcome], *, look: int, looks: Looks, margin: float) -> Reason | None:
    candidate, rivals = outcomes[contest.synthetic_arm], {arm: outcomes[arm] for arm in contest.rivals}
    level = looks.level(look)
    controls = judge_controls(outcomes, margin=margin, level=level)
    return why_stop(
        advantage(candidate, rivals, best_rival=contest.best_rival, margin=margin, level=level),
        candidate,
        rivals,
        best_rival=contest.best_rival,
        margin=margin,
        look=look,
        looks=looks,
        controls_passed=all(one.passed for one in controls),
    )


def _round(plan: Plan, seeds: Sequence[int]) -> dict[str, list[Classifier]]:
    """The networks of every arm, control and student with some seeds."""
    networks = _unmixed(plan, seeds)
    teachers = networks["augmented"]
    return networks | _mixed(plan, teachers, seeds) | _taught(plan, teachers, seeds) | _privately(plan, seeds)


def _unmixed(plan: Plan, seeds: Sequence[int]) -> dict[str, list[Classifier]]:
    """The networks of the arms that mix nothing, and of the controls."""
    names: list[Arm] = [arm for arm in ARMS if arm not in MIXED_ARMS]
    rng = np.random.default_rng(plan.control_seed)
    controls = control_fits(plan.material, seeds=seeds, recipe=plan.recipe, rng=rng)
    fits = [*_arm_fits(plan, names, seeds, teachers=()), *controls]
    return _by_name(train_all(fits, crew=plan.crew, label="arms"), [*names, *CONTROL_FITS])


def _mixed(plan: Plan, teachers: Sequence[Classifier], seeds: Sequence[int]) -> dict[str, list[Classifier]]:
    """The networks of the mixed arms; each seed's teacher is that seed's network of the arm `augmented`."""
    fits = _arm_fits(plan, MIXED_ARMS, seeds, teachers=teachers)
    return _by_name(train_all(fits, crew=plan.crew, label="synthetic-arms"), list(MIXED_ARMS))


def _arm_fits(plan: Plan, arms: Sequence[Arm], seeds: Sequence[int], *, teachers: Sequence[Classifier]) -> list[Fit]:
    """What some arms train on with some seeds; mixed arms need as many teachers as seeds."""
    mixtures = [plan.choices.mixtures[arm] for arm in arms if arm in MIXED_ARMS]
    labels = soft_labels(teachers, plan.material.release, mixtures) if mixtures else [None] * len(seeds)
    return [
        arm_fit(
            arm,
            plan.material,
            seed=seed,
            recipe=plan.recipe,
            augmentation=plan.choices.augmentation,
            mixture=plan.choices.mixtures.get(arm),
            soft_labels=taught,
        )
        for arm in arms
        for seed, taught in zip(seeds, labels, strict=True)
    ]


def _taught(plan: Plan, teachers: Sequence[Classifier], seeds: Sequence[int]) -> dict[str, list[Classifier]]:
    """The networks of the students, if any; their teachers are those of the mixed arms."""
    if plan.school is None or not plan.students:
        return {}
    fits = plan.school.fits(
        plan.material.train,
        teachers=teachers,
        seeds=seeds,
        recipe=plan.recipe,
        augmentation=plan.choices.augmentation,
        crew=plan.crew,
    )
    return _by_name(train_all(fits, crew=plan.crew, label="students"), [one.name for one in plan.students])


def _privately(plan: Plan, seeds: Sequence[int]) -> dict[str, list[Classifier]]:
    """The networks of the arm `private`, if there is one."""
    if plan.private is None:
        return {}
    return {PRIVATE: train_private(plan.material.train, plan.private, seeds=seeds, crew=plan.crew)}


def _by_name(networks: list[Classifier], names: Sequence[str]) -> dict[str, list[Classifier]]:
    """Networks that lie side by side, as many for each name."""
    each = len(networks) // len(names)
    return {name: networks[place * each : (place + 1) * each] for place, name in enumerate(names)}
