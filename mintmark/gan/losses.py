"""Adversarial losses and gradient penalties, one function a published formula. Knows no network, data or schedule."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch.nn import functional

LossName = Literal["relativistic", "non-saturating", "hinge", "wasserstein"]
SMALL = 1e-6
Logits = Float[torch.Tensor, " n"]


class Losses(NamedTuple):
    """A discriminator's and a generator's loss; each takes (real logits, fake logits) of equally many images.

    Attributes:
        discriminator, generator: The two players' losses.
        has_zero: Whether a logit above 0 says "real" by itself; else logits count by their differences alone.
        needs_penalty: Whether the discriminator's loss has no bound without a gradient penalty.
    """

    discriminator: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    generator: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    has_zero: bool
    needs_penalty: bool = False


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


def hinge_discriminator(real: Logits, fake: Logits) -> Float[torch.Tensor, ""]:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))) (Lim and Ye 2017; Miyato et al. 2018, equation 16)."""
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


def wasserstein_discriminator(real: Logits, fake: Logits) -> Float[torch.Tensor, ""]:
    """E D(G(z)) - E D(x) (Arjovsky et al. 2017, equation 2; Gulrajani et al. 2017, equation 3 without its penalty)."""
    return fake.mean() - real.mean()


def linear_generator(real: Logits, fake: Logits) -> Float[torch.Tensor, ""]:  # noqa: ARG001 - one signature
    """- E D(G(z)), against a hinge (Miyato et al. 2018, equation 17) or a critic (Arjovsky et al. 2017)."""
    return -fake.mean()


LOSSES: dict[LossName, Losses] = {
    "relativistic": Losses(relativistic_discriminator, relativistic_generator, has_zero=False),
    "non-saturating": Losses(non_saturating_discriminator, non_saturating_generator, has_zero=True),
    "hinge": Losses(hinge_discriminator, linear_generator, has_zero=True),
    "wasserstein": Losses(wasserstein_discriminator, linear_generator, has_zero=False, needs_penalty=True),
}


def class_energy_distance(
    real: Float[torch.Tensor, "n features"], fake: Float[torch.Tensor, "n features"], codes: Int64[torch.Tensor, " n"]
) -> Float[torch.Tensor, ""]:
    """How far fake features lie from real ones of their class, as a share of the real spread; it sees mode collapse.

    The energy distance 2 E|x - y| - E|x - x'| - E|y - y'| (Szekely and Rizzo 2013, equation 1; on a discriminator's
    features: Bellemare et al. 2017), estimated without bias within each class, averaged over classes, and divided by
    the real E|x - x'|. Its last term pushes fakes of one class apart, which no judge of single images can do.

    Args:
        real: Features of some real images.
        fake: Features of as many fake ones.
        codes: The class of each row of both; those that appear once count for nothing.
    """
    same = (codes[:, None] == codes[None, :]).to(real.dtype)
    counts = same.sum(dim=1)
    num_pairs = counts * (counts - 1)
    several = (counts > 1).to(real.dtype) / counts  # sums to the number of classes that count
    num_classes = several.sum().clamp_min(1)
    across = same * (several / counts)[:, None] / num_classes
    within = (same - torch.eye(len(codes), device=codes.device)) * (counts * several / num_pairs.clamp_min(1))[:, None]
    within = within / num_classes
    spread = (torch.cdist(real, real) * within).sum()
    distance = 2 * (torch.cdist(real, fake) * across).sum() - (torch.cdist(fake, fake) * within).sum() - spread
    return distance / spread.detach().clamp_min(SMALL)


def twin_generator(
    class_logits: Float[torch.Tensor, "n classes"],
    twin_logits: Float[torch.Tensor, "n classes"],
    codes: Int64[torch.Tensor, " n"],
) -> Float[torch.Tensor, ""]:
    """E log Q_twin(y | G(z, y)) - E log Q(y | G(z, y)) (Gong et al. 2019, equation 6, the generator's share).

    Args:
        class_logits: Of fake images, by the head that learns the classes of real ones.
        twin_logits: Of the same, by the head that learns the classes of fake ones.
        codes: The classes that were asked for.
    """
    return functional.cross_entropy(class_logits, codes) - functional.cross_entropy(twin_logits, codes)


def squared_slopes(logits: Logits, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
    """|dD/dx|^2 at each image; its mean is R1 over real images and R2 over fake ones (Mescheder et al. 2018, equation 9).

    Args:
        logits: The discriminator's output at `images`, each from its own image alone.
        images: What the logits were computed from, requiring a gradient.
    """
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients.square().sum(dim=(1, 2, 3))


def lipschitz_penalty(squares: Float[torch.Tensor, " n"]) -> Float[torch.Tensor, ""]:
    """E (|dD/dx| - 1)^2 from the squared slopes between real and fake images (Gulrajani et al. 2017, equation 3)."""
    return ((squares + SMALL**2).sqrt() - 1).square().mean()  # the root has no slope at 0


def between(real: torch.Tensor, fake: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Points on the lines from fake (share 0) to real images (share 1) (Gulrajani et al. 2017, algorithm 1)."""
    return torch.lerp(fake, real, shares[:, None, None, None])
