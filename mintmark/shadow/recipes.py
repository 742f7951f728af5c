"""The recipe of a trained model, from the facts beside its weights. A shadow trained otherwise would be no reference.

Knows nothing of training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mintmark import weights
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.training import Recipe
from mintmark.differential.accountant import Spending
from mintmark.errors import BadInput
from mintmark.gan.augmentation import Augmentation as GanAugmentation
from mintmark.gan.config import Adaptive, Config


@dataclass(frozen=True, kw_only=True, slots=True)
class GanRecipe:
    """How a GAN was trained: its config, for how many steps, and by which private mechanism, if by one."""

    config: Config
    steps: int
    privacy: Spending | None


def classifier_recipe(path: Path) -> Recipe:
    """The recipe in a classifier's facts: the fields of `Recipe` under "recipe".

    Raises:
        BadInput: the file is missing, or its facts do not tell.
    """
    stored = _fact(path, "recipe")
    try:
        return Recipe(**(stored | {"augmentation": Augmentation(**stored["augmentation"])}))
    except (TypeError, KeyError, ValueError) as error:
        raise BadInput(f"{path}: expected the recipe of a classifier in its facts, got {error}") from error


def synthetic_records(path: Path) -> int | None:
    """How many synthetic records alone taught the classifier; None where real records took part, or nothing is said."""
    facts = weights.load(path)[1].get("facts", {})
    return int(facts["synthetic_records"]) if facts.get("arm") == "synthetic" and "synthetic_records" in facts else None


def has_recipe(path: Path) -> bool:
    """Whether the file tells how its model was trained: that of a student, or of a private classifier, does not."""
    return "recipe" in weights.load(path)[1].get("facts", {})


def gan_recipe(path: Path) -> GanRecipe:
    """The recipe in a generator's facts: the fields of `Config` under "recipe", and "steps".

    Raises:
        BadInput: the file is missing, or its facts do not tell.
    """
    stored = _fact(path, "recipe")
    privacy = weights.load(path)[1]["facts"].get("privacy")
    try:
        nested = {
            "augmentation": GanAugmentation(**stored["augmentation"]),
            "adaptive": stored["adaptive"] and Adaptive(**stored["adaptive"]),
        }
        config = Config(**(stored | nested))
        spent = None if privacy is None else Spending(**privacy)
        return GanRecipe(config=config, steps=int(_fact(path, "steps")), privacy=spent)
    except (TypeError, KeyError, ValueError) as error:
        raise BadInput(f"{path}: expected the recipe of a GAN in its facts, got {error}") from error


def _fact(path: Path, name: str) -> Any:
    facts: Mapping[str, Any] = weights.load(path)[1].get("facts", {})
    if name not in facts:
        raise BadInput(f"{path}: expected {name!r} among its facts, got {sorted(facts)}")
    return facts[name]
