"""Images that differ by where their shape lies: what pixels confuse and warps do not."""

import numpy as np
import pytest
import torch

from mintmark.cluster.training import Recipe

RING = ((0, 1, 1, 1, 0), (1, 0, 0, 0, 1), (1, 0, 0, 0, 1), (1, 0, 0, 0, 1), (0, 1, 1, 1, 0))
CROSS = ((0, 0, 1, 0, 0), (0, 0, 1, 0, 0), (1, 1, 1, 1, 1), (0, 0, 1, 0, 0), (0, 0, 1, 0, 0))


@pytest.fixture(scope="session")
def shifted():
    """120 images of 9x9 in [-1, 1], a ring or a cross at a random place, and which of them each holds."""
    rng = np.random.default_rng(0)
    codes, images = np.arange(120) % 2, np.full((120, 1, 9, 9), -1.0, np.float32)
    for image, code in zip(images, codes, strict=True):
        down, right = rng.integers(0, 5, 2)
        image[0, down : down + 5, right : right + 5] += 2.0 * np.array((RING, CROSS)[code])
    return torch.from_numpy(images), codes


@pytest.fixture
def recipe():
    return Recipe(
        starts=10,
        priced_starts=0.5,
        priced=0.6,
        price_rate=0.025,
        steps=250,
        transformations=("affine",),
        identity_steps=50,
        plateau=0.02,
        challenge_every=0,
        cooldown=0.2,
        batch_size=60,
        learning_rate=1e-2,
        prototype_learning_rate=2e-2,
        restart_below=0.2,
        restart_noise=0.02,
        committee=1,
        voters=1,
        width=4,
        num_features=16,
        hidden=8,
    )
