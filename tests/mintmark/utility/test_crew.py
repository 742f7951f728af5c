"""The crew: results in order, the same whoever works."""

from dataclasses import replace

import numpy as np
import torch

from mintmark.classify.augmentation import PLAIN
from mintmark.utility.arms import ARMS, Mixture, arm_fit
from mintmark.utility.crew import Crew, probabilities, train_all


def test_the_number_of_workers_changes_no_bit(scarce, recipe):
    material, _ = scarce
    short = replace(recipe, steps=6, width=4)
    hard = Mixture(share=0.5, labels="hard")
    fits = [
        arm_fit(arm, material, seed=seed, recipe=short, augmentation=PLAIN, mixture=hard)
        for arm in ARMS
        for seed in (1, 2)
    ]
    alone, together = (
        train_all(
            fits, crew=Crew(workers=workers, threads=1, device=torch.device("cpu"), deterministic=True), label="test"
        )
        for workers in (1, 2)
    )
    for first, second in zip(alone, together, strict=True):
        pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
    first, second = (one.state_dict()["head.weight"] for one in alone[:2])
    assert not torch.equal(first, second)
    belief = probabilities(alone[0], material.validation)
    assert belief.shape == (100, 10)
    assert np.allclose(belief.sum(axis=1), 1.0, atol=1e-5)
