"""Adversarial losses and gradient penalties, one function a published formula. Knows no network, data or schedule."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch.nn import functional

LossName = Literal["relativistic", "non-saturating"]
Logits = Float[torch.Tensor, " n"]


class Losses(NamedTuple):
    """A discriminator's and a generator's loss; each takes (real logits, fake logits) of equally many images."""

    discriminator: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    generator: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def relativistic_discriminator(real: Logits, fake: Logits) -> Float[torch.Tensor, ""]:
    """E softplus(-(D(x) - D(G(z)))) over pairs (Jolicoeur-Martineau 2019; Huang et al. 2024, equation 2)."""
    return functional.softplus(fake - real).mean()


def relativistic_generator(real: Logits, fake: Logits) -> Float[torch.Tensor, ""]:
    """E softplus(-(D(G(z)) - D(x))) over pairs (Jolicoeur-Martineau 2019; Huang et al. 2024, equation 2)."""
    return functional.softplus(real - fake).mean()


def non_saturating_discriminator(real: Logits, fake: Logits) -> Float[torch.Tensor, ""]:
    """E softplus(-D(x)) + E softplus(D(G(z))) (Goodfellow et al. 2014, equation 1 in logits)."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def non_saturating_generator(real: Logits, fake: Logits) -> Float[torch.Tensor, ""]:  # noqa: ARG001 - one signature
    """E softplus(-D(G(z))) (Goodfellow et al. 2014, section 3)."""
    return functional.softplus(-fake).mean()


LOSSES: dict[LossName, Losses] = {
    "relativistic": Losses(relativistic_discriminator, relativistic_generator),
    "non-saturating": Losses(non_saturating_discriminator, non_saturating_generator),
}


def gradient_penalty(logits: Logits, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, ""]:
    """E |dD/dx|^2 at the images: R1 where they are real, R2 where they are fake (Mescheder et al. 2018, equation 9).

    Args:
        logits: The discriminator's output at `images`, each from its own image alone.
        images: What the logits were computed from, requiring a gradient.
    """
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients.square().sum(dim=(1, 2, 3)).mean()
