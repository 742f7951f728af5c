"""The audit of the mechanism itself: canaries bound epsilon from below, and a training without its noise is found out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mintmark.differential.accountant import Budget, Spending, spending
from mintmark.differential.gradients import noise_of, poisson_rows, set_private_gradients
from mintmark.errors import BadInput
from mintmark.privacy.claim import Claim, refuse_refuted
from mintmark.privacy.epsilon import Bound, bound_of_guesses

NUM_CANARIES, STEPS = 400, 20
SPENT = spending(
    Budget(epsilon=1.0, delta=1e-4, max_grad_norm=1.0), num_records=NUM_CANARIES // 2, batch_size=100, steps=STEPS
)


def canary_bound(mechanism: Spending, *, seed: int) -> Bound:
    """Train a linear model on the canaries that a coin lets in, each a direction of its own, and guess the coins.

    A canary's score is how far the model leans its way, over all canaries alike. How many are guessed was fixed before.
    """
    included = np.random.default_rng(seed).random(NUM_CANARIES) < 0.5
    canaries = torch.eye(NUM_CANARIES)
    members = canaries[torch.from_numpy(included)]
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
    scores = network(canaries).detach().squeeze(1).numpy().astype(np.float64)
    return bound_of_guesses(scores, included, num_guesses=NUM_CANARIES // 2, delta=mechanism.delta)


def test_sound_noise_keeps_every_bound_below_the_claim():
    claim = Claim(SPENT.epsilon, SPENT.delta, "")
    bounds = [canary_bound(SPENT, seed=seed) for seed in range(5)]
    assert max(one.epsilon for one in bounds) <= SPENT.epsilon
    for one in bounds:
        refuse_refuted(claim, one)


@pytest.mark.parametrize("left", [0.0, 0.02])
def test_noise_left_out_while_the_accountant_claims_it_is_found_out(left):
    broken = replace(SPENT, noise_multiplier=left * SPENT.noise_multiplier)
    bound = canary_bound(broken, seed=0)
    assert bound.epsilon > 2 * SPENT.epsilon
    with pytest.raises(BadInput, match="the mechanism is broken"):
        refuse_refuted(Claim(SPENT.epsilon, SPENT.delta, ""), bound)
