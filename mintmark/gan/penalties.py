"""The gradient penalties of a discriminator's step, weighted by the recipe."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float

from mintmark.gan.config import Config
from mintmark.gan.losses import between, lipschitz_penalty, squared_slopes
from mintmark.gan.parallel import Group


class Penalty(NamedTuple):
    """What a loss gains, and what a reader sees: R1 + R2, plus the Lipschitz penalty, of those that have a weight."""

    weighted: Float[torch.Tensor, ""]
    seen: Float[torch.Tensor, ""]


def taken(
    logits: Float[torch.Tensor, " twice"],
    images: Float[torch.Tensor, "twice channels height width"],
    judge: Callable[[torch.Tensor], torch.Tensor],
    *,
    config: Config,
    rng: torch.Generator,
    group: Group,
) -> Penalty:
    """All penalties that have a weight, once.

    Args:
        logits: The discriminator's output at `images`.
        images: Real ones, then as many fake ones, requiring a gradient.
        judge: The discriminator's output at images between the two, in their order.
        config: The weights.
        rng: Where between; a CPU generator, from which nothing is drawn without a Lipschitz penalty.
        group: The processes of which each holds its rows.
    """
    weighted, seen = logits.new_zeros(()), logits.new_zeros(())
    if max(config.r1_weight, config.r2_weight) > 0:
        weighted, seen = _slopes(squared_slopes(logits, images), config)
    if config.lipschitz_weight > 0:
        real, fake = images.detach().chunk(2)
        shares = group.mine(torch.rand(len(real) * group.size, generator=rng)).to(images)
        points = between(real, fake, shares).requires_grad_()
        lipschitz = lipschitz_penalty(squared_slopes(judge(points), points))
        weighted, seen = weighted + config.lipschitz_weight * lipschitz, seen + lipschitz
    return Penalty(weighted, seen)


def _slopes(squares: Float[torch.Tensor, " twice"], config: Config) -> Penalty:
    """Gamma / 2 (R1 + R2), or each under its own gamma."""
    gamma = max(config.r1_weight, config.r2_weight)
    shares = squares.new_tensor([config.r1_weight / gamma, config.r2_weight / gamma])
    weights = shares.repeat_interleave(len(squares) // 2)
    # a mean over real and fake together is (R1 + R2) / 2
    seen = 2 * (squares * (weights > 0)).mean()
    return Penalty(gamma / 2 * (2 * (squares * weights).mean()), seen)
