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
from mintmark.errors import BadInput
from mintmark.gan.augmentation import Augmentation as GanAugmentation
from mintmark.gan.config import Adaptive, Config


@dataclass(frozen=True, kw_only=True, slots=True)
class GanRecipe:
    """How a GAN was trained: its config, and for how many steps."""

    config: Config
    steps: int


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


def gan_recipe(path: Path) -> GanRecipe:
    """The recipe in a generator's facts: the fields of `Config` under "recipe", and "steps".

    Raises:
        BadInput: the file is missing, its facts do not tell, or the training was private, which no shadow is.
    """
    stored = _fact(path, "recipe")
    if "privacy" in weights.load(path)[1]["facts"]:
        raise BadInput(
            f"{path}: expected a generator of the usual training, got a private one; shadow.num_generators must be 0"
        )
    try:
        nested = {
            "augmentation": GanAugmentation(**stored["augmentation"]),
            "adaptive": stored["adaptive"] and Adaptive(**stored["adaptive"]),
        }
        config = Config(**(stored | nested))
        return GanRecipe(config=config, steps=int(_fact(path, "steps")))
    except (TypeError, KeyError, ValueError) as error:
        raise BadInput(f"{path}: expected the recipe of a GAN in its facts, got {error}") from error


def _fact(path: Path, name: str) -> Any:
    facts: Mapping[str, Any] = weights.load(path)[1].get("facts", {})
    if name not in facts:
        raise BadInput(f"{path}: expected {name!r} among its facts, got {sorted(facts)}")
    return facts[name]
