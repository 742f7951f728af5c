"""Losses of the semi-supervised GAN, one function a published formula. Knows no network, data or schedule.

The discriminator has K logits. The K+1st class, "generated", has the logit 0, so that an image is real with
probability Z / (Z + 1), where Z is the sum of the K exponentials (Salimans et al. 2016, section 5).
"""

import torch
from jaxtyping import Float
from torch.nn import functional

SMALL = 1e-6
Logits = Float[torch.Tensor, "n classes"]
Features = Float[torch.Tensor, "n features"]


def real_or_fake(real: Logits, fake: Float[torch.Tensor, "m classes"]) -> Float[torch.Tensor, ""]:
    """-(E log D(x) + E log(1 - D(G(z)))) / 2 with D = Z / (Z + 1) (Salimans et al. 2016, section 5)."""
    return (functional.softplus(-real.logsumexp(dim=1)).mean() + functional.softplus(fake.logsumexp(dim=1)).mean()) / 2


def feature_matching(real: Features, fake: Float[torch.Tensor, "m features"]) -> Float[torch.Tensor, ""]:
    """E |E f(x) - E f(G(z))| over features (Salimans et al. 2016, section 3.1, with the L1 norm of its MNIST code)."""
    return (real.mean(dim=0) - fake.mean(dim=0)).abs().mean()


def pull_away(fake: Features) -> Float[torch.Tensor, ""]:
    """Mean squared cosine of distinct fake features, from 0 to 1 (Zhao et al. 2017, equation 4; Dai et al. 2017, 4.2).

    It stands for minus the entropy of what is generated: small where fakes differ.

    Args:
        fake: At least two rows.
    """
    unit = functional.normalize(fake, dim=1, eps=SMALL)
    squares = (unit @ unit.T).square()
    return (squares.sum() - squares.diagonal().sum()) / (len(fake) * (len(fake) - 1))


def conditional_entropy(logits: Logits) -> Float[torch.Tensor, ""]:
    """-E sum_k p_k log p_k over the K classes, in nats: small where the classes are sure (Dai et al. 2017, 4.3)."""
    return -(logits.softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1).mean()


def agreement(logits: Logits, targets: Logits) -> Float[torch.Tensor, ""]:
    """E sum_k |p_k - q_k|^2 of the probabilities of two sets of logits (Tarvainen and Valpola 2017, section 2)."""
    return (logits.softmax(dim=1) - targets.softmax(dim=1)).square().sum(dim=1).mean()


def aligned(beliefs: Logits, marginal: Float[torch.Tensor, " classes"]) -> Logits:
    """Beliefs moved towards equal shares of the classes (Berthelot et al. 2020, section 3.1): q / marginal, rescaled.

    Args:
        beliefs: Probabilities q.
        marginal: Their mean over images, of this batch or of those before.
    """
    balanced = beliefs / marginal.clamp(min=SMALL)
    return balanced / balanced.sum(dim=1, keepdim=True)


def pseudo_label(logits: Logits, beliefs: Logits, *, confidence: float) -> Float[torch.Tensor, ""]:
    """E 1(max q >= confidence) * -log p_argmax(q): unsure beliefs count as 0 (Sohn et al. 2020, equation 4).

    Args:
        logits: Of strongly bent images.
        beliefs: Probabilities q of the same images, bent weakly or not at all; no gradient flows into them.
        confidence: The least probability of its likeliest class at which an image is taught, 0 to 1.
    """
    sureness, codes = beliefs.detach().max(dim=1)
    return (functional.cross_entropy(logits, codes, reduction="none") * (sureness >= confidence)).mean()
