"""The spaces of features that a release is compared in, each with what it takes to get there."""

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mintmark.classify.cost import step_flops
from mintmark.data.images import ImageSet
from mintmark.fidelity.comparison import Settings
from mintmark.fidelity.dinov2 import load_dinov2
from mintmark.fidelity.features import Embed, published, trained
from mintmark.fidelity.inception import load_inception

TRAINED = "trained"
PUBLISHED = {"inception": load_inception, "dinov2": load_dinov2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """One space.

    Attributes:
        name: "trained", "inception" or "dinov2"; what the measurements' names begin with.
        embed: From images to features; None where there is no such network.
        missing: What it would have needed, as the end of a sentence; empty where there is a network.
        facts: Where the features come from, as plain JSON values.
        cost: What the network's training took.
    """

    name: str
    embed: Embed | None
    missing: str
    facts: dict[str, Any]
    cost: dict[str, float]


def open_spaces(train: ImageSet, settings: Settings, *, seed: int, device: torch.device) -> list[Space]:
    """The network trained on the training records, and every published one whose weights the settings name.

    Raises:
        BadInput: a weights file is missing, damaged, or of another network.
    """
    found = [_trained(train, settings, seed=seed, device=device)]
    for name, load in PUBLISHED.items():
        given = getattr(settings, name)
        if given is None:
            continue
        path = Path(given)
        network = load(path)
        with path.open("rb") as stream:
            facts = {"weights_sha256": file_digest(stream, "sha256").hexdigest()}
        embed = published(network, device=device)
        found.append(Space(name=name, embed=embed, missing="", facts=facts, cost={}))
    return found


def _trained(train: ImageSet, settings: Settings, *, seed: int, device: torch.device) -> Space:
    known, recipe = train.labelled(), settings.training
    if len(np.unique(known.codes)) < 2:
        missing = "labelled training records of two classes at least"
        return Space(name=TRAINED, embed=None, missing=missing, facts={}, cost={})
    embed = trained(known, recipe=recipe, seed=seed, device=device)
    flops = step_flops(train.shape, num_classes=len(train.classes), width=recipe.width, batch_size=recipe.batch_size)
    cost = {"features_gradient_steps": float(recipe.steps), "features_flops": float(recipe.steps * flops)}
    return Space(name=TRAINED, embed=embed, missing="", facts={"labelled_records": len(known)}, cost=cost)
