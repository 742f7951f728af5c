"""What is chosen before the contest, on validation records alone: the augmentation, and how synthetic data is mixed in.

A candidate is trained with a few seeds of its own, which the contest does not use again. The highest accuracy on
validation wins; equal accuracies go by the lower log loss, then by the order of the grid. No test record comes here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.networks import Classifier
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.utility.arms import MIXED_ARMS, Arm, Fit, Material, Mixture, arm_fit
from mintmark.utility.crew import Crew, probabilities, train_all

LEAST_PROBABILITY = 1e-7  # a confident mistake costs this much at most in log loss


class Score(NamedTuple):
    """How well networks do on validation, on average. A higher score is better, compared in this order."""

    accuracy: float
    minus_log_loss: float


Setting = TypeVar("Setting", Augmentation, Mixture)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Setting]):
    """One cell of a grid, and its score."""

    arm: Arm
    setting: Setting
    score: Score


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What was chosen, and out of what.

    Attributes:
        augmentation: The tuned classical augmentation.
        mixtures: How synthetic records enter each mixed arm.
        candidates: All that was tried.
    """

    augmentation: Augmentation
    mixtures: Mapping[Arm, Mixture]
    candidates: tuple[Candidate[Augmentation] | Candidate[Mixture], ...]

    def facts(self) -> dict[str, Any]:
        """As plain JSON values."""
        tried = [
            {"arm": one.arm, "setting": asdict(one.setting), "validation_accuracy": one.score.accuracy}
            | {"validation_log_loss": -one.score.minus_log_loss}
            for one in self.candidates
        ]
        mixtures = {arm: asdict(mixture) for arm, mixture in self.mixtures.items()}
        return {"augmentation": asdict(self.augmentation), "mixtures": mixtures, "tried": tried}


def choose(
    material: Material,
    *,
    augmentations: Sequence[Augmentation],
    flip: float,
    mixtures: Sequence[Mixture],
    recipe: Recipe,
    seeds: Sequence[int],
    crew: Crew,
) -> Choices:
    """Tune the augmentation first, then with it the mixture of each mixed arm.

    Args:
        material: The records.
        augmentations: The grid of the arm `augmented`; at least one.
        flip: Probability of a left-right flip that is tried on top of the best of them, and kept only if validation
            prefers it; 0 tries none.
        mixtures: The grid of each mixed arm; at least one.
        recipe: How every candidate is trained.
        seeds: Of the trainings of every candidate.
        crew: Who trains.
    """
    common = {"recipe": recipe, "seeds": seeds, "crew": crew}
    bends, networks = _try_augmentations(material, augmentations, **common)
    best = max(bends, key=lambda one: one.score)
    augmentation = best.setting
    if flip and not augmentation.flip:
        flipped, with_flip = _try_augmentations(material, [replace(augmentation, flip=flip)], **common)
        bends, networks = [*bends, *flipped], networks | with_flip
        if flipped[0].score > best.score:
            augmentation = flipped[0].setting
    teachers = soft_labels(networks[augmentation], material.release, mixtures)
    blends = _try_mixtures(material, mixtures, augmentation, teachers, **common)
    return Choices(
        augmentation=augmentation,
        mixtures={arm: _best_mixture(arm, blends) for arm in MIXED_ARMS},
        candidates=(*bends, *blends),
    )


def score(networks: Sequence[Classifier], validation: ImageSet) -> Score:
    """The mean score of networks on validation records."""
    rows = np.arange(len(validation))
    beliefs = [probabilities(network, validation) for network in networks]
    right = [float((belief.argmax(axis=1) == validation.codes).mean()) for belief in beliefs]
    logs = [float(np.log(belief[rows, validation.codes].clip(LEAST_PROBABILITY)).mean()) for belief in beliefs]
    return Score(float(np.mean(right)), float(np.mean(logs)))


def soft_labels(
    teachers: Sequence[Classifier], release: ImageSet, mixtures: Sequence[Mixture]
) -> list[Float[np.ndarray, "n classes"] | None]:
    """Each teacher's beliefs about the release, or nothing where no mixture asks for them."""
    if all(mixture.labels == "hard" for mixture in mixtures):
        return [None] * len(teachers)
    return [probabilities(teacher, release) for teacher in teachers]


def _try_augmentations(
    material: Material, augmentations: Sequence[Augmentation], *, recipe: Recipe, seeds: Sequence[int], crew: Crew
) -> tuple[list[Candidate[Augmentation]], dict[Augmentation, list[Classifier]]]:
    """The arm `augmented` with each augmentation: how it scored, and its networks."""
    fits = [
        arm_fit("augmented", material, seed=seed, recipe=recipe, augmentation=one)
        for one in augmentations
        for seed in seeds
    ]
    networks = _networks_by_setting(fits, augmentations, crew=crew, label="augmentations")
    found = [Candidate("augmented", one, score(networks[one], material.validation)) for one in augmentations]
    return found, networks


def _try_mixtures(
    material: Material,
    mixtures: Sequence[Mixture],
    augmentation: Augmentation,
    teachers: Sequence[Float[np.ndarray, "n classes"] | None],
    *,
    recipe: Recipe,
    seeds: Sequence[int],
    crew: Crew,
) -> list[Candidate[Mixture]]:
    """Each mixed arm with each mixture: how it scored."""
    cells: list[tuple[Arm, Mixture]] = [(arm, mixture) for arm in MIXED_ARMS for mixture in mixtures]
    fits = [
        arm_fit(
            arm,
            material,
            seed=seed,
            recipe=recipe,
            augmentation=augmentation,
            mixture=mixture,
            soft_labels=labels,
        )
        for arm, mixture in cells
        for seed, labels in zip(seeds, teachers, strict=True)
    ]
    networks = _networks_by_setting(fits, cells, crew=crew, label="mixtures")
    return [Candidate(arm, mixture, score(networks[arm, mixture], material.validation)) for arm, mixture in cells]


def _networks_by_setting(
    fits: Sequence[Fit], settings: Sequence[Any], *, crew: Crew, label: str
) -> dict[Any, list[Classifier]]:
    """The trained networks of each setting, whose fits lie side by side."""
    networks = train_all(fits, crew=crew, label=label)
    each = len(fits) // len(settings)
    return {setting: networks[place * each : (place + 1) * each] for place, setting in enumerate(settings)}


def _best_mixture(arm: Arm, candidates: Sequence[Candidate[Mixture]]) -> Mixture:
    return max((one for one in candidates if one.arm == arm), key=lambda one: one.score).setting
