"""Threat model `discriminator`: the attacker holds the discriminator's weights.

Nobody needs a discriminator to use a release, so it should not be published; this threat model tells what would happen.
Knows nothing of files, or of how the discriminator was trained.
"""

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.gan.family import AnyDiscriminator
from mintmark.privacy.likelihood import lira_scores, log_probabilities, refuse_own, rmia_scores
from mintmark.privacy.parties import Parties
from mintmark.privacy.rates import Scores
from mintmark.privacy.shadows import Shadows

BATCH_SIZE = 512


@torch.no_grad()
def logit_scores(
    network: AnyDiscriminator,
    images: Float[torch.Tensor, "queries channels height width"],
    codes: Int64[np.ndarray, " queries"],
) -> Float[np.ndarray, " queries"]:
    """Discriminator score: who looks more real to the discriminator than others is a member.

    Threat model: the attacker runs the discriminator on the record and its label; of an unlabelled record they take
    the class that suits it best. A discriminator that has learnt its training records by heart calls only those real
    (Hayes et al. 2019, LOGAN, white box).

    Returns:
        The logit of "real"; higher for a member.
    """
    parts = []
    for part, code in zip(images.split(BATCH_SIZE), torch.from_numpy(codes).split(BATCH_SIZE), strict=True):
        found = network(part, code.clamp(min=0))
        unknown = part[code < 0]
        if len(unknown):
            every = [network(unknown, torch.full((len(unknown),), one)) for one in range(network.num_classes)]
            found[code < 0] = torch.stack(every).amax(dim=0)
        parts.append(found)
    return torch.cat(parts).double().numpy()


def attack_discriminator(network: AnyDiscriminator, parties: Parties, *, shadows: Shadows | None) -> dict[str, Scores]:
    """Every attack of this threat model.

    With shadow models of the same recipe, the score is also calibrated: less the mean logit of those that were not
    trained on the record, which tells how real it looks to begin with (after Watson et al. 2022); and its likelihoods
    under those that were and those that were not are compared (`lira_scores`, `rmia_scores`).
    """
    scores = logit_scores(network, parties.tensors(), parties.codes())
    found: dict[str, np.ndarray | None] = {"logit": scores}
    if shadows is not None:
        refuse_own(scores, shadows)
        easy = shadows.untrained_mean()
        found |= {
            "shadow": None if easy is None else scores - easy,
            "lira": lira_scores(scores, shadows),
            "rmia": rmia_scores(log_probabilities(scores), shadows.map(log_probabilities)),
        }
    return {name: parties.split(one) for name, one in found.items() if one is not None}
