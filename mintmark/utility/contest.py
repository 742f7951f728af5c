"""The contest of the arms: everything is trained, everything is chosen on validation, then the test is asked once.

`hold` never sees a test record. `Contest.ask_test` is the only place that does, after all choices have been made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mintmark.classify.networks import SmallCNN
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.utility.arms import ARMS, MIXED_ARMS, Arm, Material, arm_fit
from mintmark.utility.choices import Choices, Score, score, soft_labels
from mintmark.utility.comparison import Outcome
from mintmark.utility.controls import CONTROL_FITS, control_fits
from mintmark.utility.crew import Crew, probabilities, train_all

RIVALS: tuple[Arm, ...] = ("real", "augmented")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """All that was trained, and what validation said of it.

    Attributes:
        networks: By arm or control, in the order of the seeds.
        scores: Each arm's mean score on validation.
        synthetic_arm: The better of the mixed arms on validation: the one that the verdict is about.
        best_rival: The better of `RIVALS` on validation.
    """

    networks: Mapping[str, Sequence[SmallCNN]]
    scores: Mapping[Arm, Score]
    synthetic_arm: Arm
    best_rival: Arm

    def ask_test(self, test: ImageSet) -> dict[str, Outcome]:
        """Which test records each network of each arm and control answers rightly."""
        return {name: outcome(networks, test) for name, networks in self.networks.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shipped:
    """The one network that is kept, its classes, and where it came from: arm, place among the seeds, validation score."""

    network: SmallCNN
    classes: tuple[str, ...]
    arm: Arm
    place: int
    score: Score


def hold(
    material: Material,
    *,
    choices: Choices,
    recipe: Recipe,
    seeds: Sequence[int],
    rng: np.random.Generator,
    crew: Crew,
) -> Contest:
    """Train every arm and every control with every seed, and name the finalists on validation.

    Args:
        material: The records; no test record among them.
        choices: What was tuned beforehand.
        recipe: How everything is trained.
        seeds: At least two; every arm uses each of them.
        rng: Draws the controls' exchange of classes and halves.
        crew: Who trains.
    """
    networks = _unmixed(material, choices, recipe=recipe, seeds=seeds, rng=rng, crew=crew)
    networks |= _mixed(material, choices, networks["augmented"], recipe=recipe, seeds=seeds, crew=crew)
    scores: dict[Arm, Score] = {arm: score(networks[arm], material.validation) for arm in ARMS}
    return Contest(
        networks=networks,
        scores=scores,
        synthetic_arm=max(MIXED_ARMS, key=lambda arm: scores[arm]),
        best_rival=max(RIVALS, key=lambda arm: scores[arm]),
    )


def ship(contest: Contest, validation: ImageSet, *, arms: Sequence[Arm]) -> Shipped:
    """The network to keep: of the best of `arms` on validation, the best seed on validation."""
    arm = max(arms, key=lambda one: contest.scores[one])
    scores = [score([network], validation) for network in contest.networks[arm]]
    place = max(range(len(scores)), key=lambda one: scores[one])
    return Shipped(
        network=contest.networks[arm][place],
        classes=validation.classes,
        arm=arm,
        place=place,
        score=scores[place],
    )


def outcome(networks: Sequence[SmallCNN], images: ImageSet) -> Outcome:
    """1 where a network answers a record rightly, else 0: one row a network, one column a record."""
    return np.stack([(probabilities(one, images).argmax(axis=1) == images.codes).astype(float) for one in networks])


def _unmixed(
    material: Material,
    choices: Choices,
    *,
    recipe: Recipe,
    seeds: Sequence[int],
    rng: np.random.Generator,
    crew: Crew,
) -> dict[str, list[SmallCNN]]:
    """The networks of the arms that mix nothing, and of the controls, in one round."""
    names: list[Arm] = [arm for arm in ARMS if arm not in MIXED_ARMS]
    fits = [
        arm_fit(arm, material, seed=seed, recipe=recipe, augmentation=choices.augmentation)
        for arm in names
        for seed in seeds
    ]
    fits += control_fits(material, seeds=seeds, recipe=recipe, rng=rng)
    return _by_name(train_all(fits, crew=crew, label="arms"), [*names, *CONTROL_FITS])


def _mixed(
    material: Material,
    choices: Choices,
    teachers: Sequence[SmallCNN],
    *,
    recipe: Recipe,
    seeds: Sequence[int],
    crew: Crew,
) -> dict[str, list[SmallCNN]]:
    """The networks of the mixed arms; each seed's teacher is that seed's network of the arm `augmented`."""
    labels = soft_labels(teachers, material.release, list(choices.mixtures.values()))
    fits = [
        arm_fit(
            arm,
            material,
            seed=seed,
            recipe=recipe,
            augmentation=choices.augmentation,
            mixture=choices.mixtures[arm],
            soft_labels=taught,
        )
        for arm in MIXED_ARMS
        for seed, taught in zip(seeds, labels, strict=True)
    ]
    return _by_name(train_all(fits, crew=crew, label="synthetic-arms"), list(MIXED_ARMS))


def _by_name(networks: list[SmallCNN], names: Sequence[str]) -> dict[str, list[SmallCNN]]:
    """Networks that lie side by side, as many for each name."""
    each = len(networks) // len(names)
    return {name: networks[place * each : (place + 1) * each] for place, name in enumerate(names)}
