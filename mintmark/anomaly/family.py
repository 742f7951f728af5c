"""Every detector by its kind: what each is fitted with, and fitting those that are asked for.

A recipe's fields are the arguments of its module's `fit`. Three kinds need the trained generator and discriminator as well;
without those they are left out. The discriminator's own score has nothing to set, and so no recipe. The combination is no member here: it is made of the members' scores (`scoring`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any, NamedTuple

import torch
from jaxtyping import Float

from mintmark.anomaly import (
    anogan,
    autoencoder,
    deep_svdd,
    discriminator,
    fanogan,
    gradient_nearest,
    gradient_residual,
    hybrid,
    isolation_forest,
    memory,
    moves,
    nearest,
    one_class_svm,
    pca,
    vae,
)
from mintmark.anomaly.descent import Training
from mintmark.anomaly.detector import Detector
from mintmark.errors import BadInput
from mintmark.gan.family import AnyDiscriminator, AnyGenerator

COMBINATION = "combination"
MODULES: Mapping[str, ModuleType] = {
    "pca_residual": pca,
    "nearest": nearest,
    "gradient_residual": gradient_residual,
    "gradient_nearest": gradient_nearest,
    "isolation_forest": isolation_forest,
    "one_class_svm": one_class_svm,
    "autoencoder": autoencoder,
    "vae": vae,
    "deep_svdd": deep_svdd,
    "hybrid": hybrid,
    "memory": memory,
    "moves": moves,
    "anogan": anogan,
    "fanogan": fanogan,
    "discriminator": discriminator,
}
GENERATIVE = ("anogan", "fanogan", "discriminator")
UNSEEDED = (
    "pca_residual",
    "nearest",
    "gradient_residual",
    "gradient_nearest",
    "one_class_svm",
    "discriminator",
)  # nothing is drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class PcaRecipe:
    """Of `pca` and `gradient_residual`."""

    num_components: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NearestRecipe:
    """Of `nearest` and `gradient_nearest`."""

    num_neighbours: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ForestRecipe:
    """Of `isolation_forest`."""

    num_trees: int
    sample_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SupportRecipe:
    """Of `one_class_svm`."""

    num_components: int
    nu: float


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkRecipe:
    """Of `autoencoder` and `vae`."""

    num_features: int
    width: int
    training: Training


@dataclass(frozen=True, kw_only=True, slots=True)
class SvddRecipe:
    """Of `deep_svdd`."""

    num_features: int
    width: int
    pretraining: Training
    training: Training


@dataclass(frozen=True, kw_only=True, slots=True)
class HybridRecipe:
    """Of `hybrid`."""

    num_features: int
    width: int
    training: Training
    nu: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryRecipe:
    """Of `memory`."""

    width: int
    memory_size: int
    place_weight: float
    training: Training


@dataclass(frozen=True, kw_only=True, slots=True)
class MovesRecipe:
    """Of `moves`."""

    width: int
    training: Training


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderRecipe:
    """Of `fanogan`."""

    width: int
    feature_weight: float
    training: Training


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipes:
    """What each kind of detector is fitted with, if there is anything to set; each `fit` explains its arguments."""

    pca_residual: PcaRecipe
    nearest: NearestRecipe
    gradient_residual: PcaRecipe
    gradient_nearest: NearestRecipe
    isolation_forest: ForestRecipe
    one_class_svm: SupportRecipe
    autoencoder: NetworkRecipe
    vae: NetworkRecipe
    deep_svdd: SvddRecipe
    hybrid: HybridRecipe
    memory: MemoryRecipe
    moves: MovesRecipe
    anogan: anogan.Search
    fanogan: EncoderRecipe


class Networks(NamedTuple):
    """A generator and a discriminator that were trained on the normals."""

    generator: AnyGenerator
    discriminator: AnyDiscriminator


def require_kinds(kinds: Sequence[str]) -> None:
    """Refuse a list of kinds that cannot be judged.

    Raises:
        ValueError: a kind is unknown or named twice, or the combination has no member before it or is not the last.
    """
    known = [*MODULES, COMBINATION]
    if not kinds or not set(kinds) <= set(known) or len(set(kinds)) < len(kinds):
        raise ValueError(f"detectors must be some of {known}, each once, got {list(kinds)}")
    if COMBINATION in kinds and (kinds[-1] != COMBINATION or len(kinds) < 2):
        raise ValueError(f"detectors must name {COMBINATION} last, after its members, got {list(kinds)}")


def fit_members(
    kinds: Sequence[str],
    normals: Float[torch.Tensor, "n channels height width"],
    *,
    recipes: Recipes,
    networks: Networks | None,
    seed: int,
) -> list[Detector]:
    """The detectors of these kinds, in their order; the combination is passed over.

    Args:
        kinds: As `require_kinds` lets them pass.
        normals: Pixels in [-1, 1].
        recipes: Of every kind.
        networks: None leaves out the kinds that need them.
        seed: Of every detector that draws.

    Raises:
        BadInput: the normals do not suffice for a recipe, or do not fit the networks, or no kind is left.
    """
    able = [kind for kind in kinds if kind in MODULES and (networks is not None or kind not in GENERATIVE)]
    if not able:
        raise BadInput(f"detectors: expected one that needs no generator, since there is none, got {list(kinds)}")
    return [_fit(kind, normals, recipes=recipes, networks=networks, seed=seed) for kind in able]


def _fit(kind: str, normals: torch.Tensor, *, recipes: Recipes, networks: Networks | None, seed: int) -> Detector:
    settings: dict[str, Any] = {}
    if kind == "anogan":  # its recipe is one argument
        settings["search"] = recipes.anogan
    elif kind != "discriminator":
        recipe = getattr(recipes, kind)
        settings |= {one.name: getattr(recipe, one.name) for one in fields(recipe)}
    if kind in GENERATIVE and networks is not None:
        settings |= networks._asdict()
    if kind not in UNSEEDED:
        settings["seed"] = seed
    return MODULES[kind].fit(normals, **settings)
