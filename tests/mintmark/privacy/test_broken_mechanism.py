"""The audit of the mechanism itself: canaries bound epsilon from below, and a training without its noise is found out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mintmark.data.images import ImageSet
from mintmark.differential.accountant import Budget, Spending, spending
from mintmark.differential.gradients import noise_of, poisson_rows, set_private_gradients
from mintmark.privacy.one_run import Claimed, OneRun, one_run
from mintmark.shadow.canaries import KINDS, Canaries

NUM_CANARIES, STEPS = 600, 20
SPENT = spending(
    Budget(epsilon=1.0, delta=1e-4, max_grad_norm=1.0), num_records=NUM_CANARIES // 2, batch_size=150, steps=STEPS
)
CLAIMED = {"classifier": Claimed(SPENT.epsilon, SPENT.delta)}


def audited(mechanism: Spending, *, seed: int) -> OneRun:
    """Train a linear model on the canaries that a coin lets in, each a direction of its own, and guess the coins.

    A canary's score is how far the model leans its way.
    """
    included = np.random.default_rng(seed).random(NUM_CANARIES) < 0.5
    directions = torch.eye(NUM_CANARIES)
    members = directions[torch.from_numpy(included)]
    network = nn.Linear(NUM_CANARIES, 1, bias=False)
    nn.init.zeros_(network.weight)
    optimiser, rng = torch.optim.SGD(network.parameters(), lr=1.0), torch.Generator().manual_seed(seed)
    for _ in range(mechanism.steps):
        batch = members[poisson_rows(len(members), sample_rate=mechanism.sample_rate, rng=rng)]
        set_private_gradients(
            network,
            lambda batch=batch: -network(batch).squeeze(1),
            num_records=len(batch),
            noise=noise_of(mechanism, num_records=len(members)),
            rng=rng,
        )
        optimiser.step()
    scores = network(directions).detach().squeeze(1).numpy().astype(np.float64)
    images = ImageSet(
        ids=[str(row) for row in range(NUM_CANARIES)],
        codes=np.zeros(NUM_CANARIES, np.int64),
        images=np.zeros((NUM_CANARIES, 1, 1, 1), np.uint8),
        classes=("any",),
    )
    canaries = Canaries(images, np.repeat(KINDS, NUM_CANARIES // 3).tolist(), included)
    return one_run({"classifier": scores[None]}, canaries, claims=CLAIMED, seed=seed)


def test_sound_noise_contradicts_no_claim():
    found = [audited(SPENT, seed=seed) for seed in range(5)]
    assert all(one.contradicted == () for one in found)
    assert all((one.measurements[0].value or 0.0) <= SPENT.epsilon for one in found)


@pytest.mark.parametrize("left", [0.0, 0.02])
def test_noise_left_out_while_the_accountant_claims_it_is_found_out(left: float):
    broken = replace(SPENT, noise_multiplier=left * SPENT.noise_multiplier)
    found = audited(broken, seed=0)
    assert found.contradicted == ("classifier",)
    assert (found.measurements[0].value or 0.0) > 2 * SPENT.epsilon
