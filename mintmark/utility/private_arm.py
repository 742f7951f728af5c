"""The arm `private`: differentially private classifiers of the real training records, of which the first ships.

Each seed's network keeps the budget by itself. One ships, and it is the first, whatever validation says: to choose among
several would spend what all of them spend. The others say what such a network achieves and leave the house no more than
those of the other arms do. Knows no file.
"""

from collections.abc import Sequence
from functools import partial

import torch

from mintmark.classify.networks import Classifier
from mintmark.classify.private_training import PrivateRecipe, train_private_classifier
from mintmark.data.images import ImageSet, to_unit
from mintmark.devices import fix_order
from mintmark.differential.accountant import Spending
from mintmark.evidence import Measurement
from mintmark.fan_out import fan_out
from mintmark.progress import track
from mintmark.utility.comparison import Outcome, accuracy
from mintmark.utility.crew import Crew

PRIVATE = "private"


def train_private(train: ImageSet, recipe: PrivateRecipe, *, seeds: Sequence[int], crew: Crew) -> list[Classifier]:
    """A network a seed, on the CPU and in eval mode.

    Args:
        train: The labelled training records.
        recipe: How to train, and what each network may spend.
        seeds: Of the trainings.
        crew: Who trains; its kind of classifier is without effect.
    """
    spent = recipe.spending(num_records=len(train))
    fits = (partial(_train, train, recipe, spent, seed, crew) for seed in seeds)
    return list(track(fan_out(fits, workers=crew.workers), "private-arm", total=len(seeds)))


def _train(train: ImageSet, recipe: PrivateRecipe, spent: Spending, seed: int, crew: Crew) -> Classifier:
    torch.set_num_threads(crew.threads)
    if crew.deterministic:
        fix_order(crew.device)
    return train_private_classifier(
        to_unit(train.images),
        torch.from_numpy(train.codes.copy()),
        num_classes=len(train.classes),
        recipe=recipe,
        spent=spent,
        seed=seed,
        device=crew.device,
    ).cpu()


def private_measurements(
    outcome: Outcome, recipe: PrivateRecipe, *, num_records: int, level: float
) -> tuple[Measurement, Measurement]:
    """What the kept network spent, and what such networks achieve.

    Args:
        outcome: Of all the arm's networks on the test.
        recipe: Theirs.
        num_records: Labelled training records.
        level: Of the interval.
    """
    found = accuracy(outcome, level=level)
    return (
        recipe.spending(num_records=num_records).measurement(num_records=num_records),
        Measurement(
            name="private_accuracy",
            value=found.value,
            low=found.low,
            high=found.high,
            level=level,
            unit="rate",
            n=outcome.shape[1],
            note="Accuracy when trained on the real records with noise that keeps each of them private.",
        ),
    )


def private_cost(recipe: PrivateRecipe, *, num_networks: int) -> dict[str, float]:
    """Trainings and gradient steps, beside those of the other arms."""
    return {"private_classifiers": float(num_networks), "private_gradient_steps": float(num_networks * recipe.steps)}
