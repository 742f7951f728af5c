"""A recipe small enough to train in a moment."""

from collections.abc import Callable
from typing import Any

import pytest

from mintmark.gan.augmentation import Augmentation
from mintmark.gan.config import Config


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., Config]:
    def make(**changes: Any) -> Config:
        recipe: dict[str, Any] = {
            "loss": "relativistic",
            "conditioning": "projection",
            "classifier_weight": 1.0,
            "latent_size": 4,
            "generator_width": 4,
            "discriminator_width": 4,
            "batch_size": 12,
            "generator_learning_rate": 2e-3,
            "discriminator_learning_rate": 2e-3,
            "beta1": 0.0,
            "beta2": 0.99,
            "r1_weight": 0.05,
            "r2_weight": 0.05,
            "lipschitz_weight": 0.0,
            "penalty_interval": 2,
            "diversity_weight": 1.0,
            "augmentation": Augmentation(translation=0.125, cutout=0.25, colour=0.2),
            "augmented_below": 1000,
            "adaptive": None,
            "ema_decay": 0.99,
            "precision": "float32",
        }
        return Config(**(recipe | changes))

    return make
