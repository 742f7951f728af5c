"""A contest small enough for a test, on real digits."""

import numpy as np
import pytest
import torch

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.utility.arms import Arm, Material, Mixture
from mintmark.utility.choices import Choices
from mintmark.utility.crew import Crew


@pytest.fixture(scope="session")
def crew() -> Crew:
    return Crew(workers=1, threads=1, device=torch.device("cpu"), deterministic=True)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe(steps=60, batch_size=32, learning_rate=0.01, weight_decay=0.01, width=8)


@pytest.fixture(scope="session")
def choices() -> Choices:
    hard = Mixture(share=0.5, labels="hard")
    mixtures: dict[Arm, Mixture] = {"real_synthetic": hard, "augmented_synthetic": hard}
    return Choices(augmentation=Augmentation(shift=0.0625), mixtures=mixtures, candidates=())


@pytest.fixture(scope="session")
def scarce(digits: ImageSet) -> tuple[Material, ImageSet]:
    """Two training records a class, a release of a thousand true ones, and 300 test records, all apart."""
    rows = np.random.default_rng(0).permutation(len(digits))
    train = np.concatenate([rows[digits.codes[rows] == code][:2] for code in range(10)])
    rest = rows[~np.isin(rows, train)]
    validation, test, release = (digits.take(part) for part in (rest[:100], rest[100:400], rest[400:]))
    return Material(digits.take(train), validation, release), test
