"""Threat model `samples`: the attacker holds the released records, and fresh records of their own.

They hold the release as it is published, after the filter, and a `reference` set drawn from the same population. They
ask of a record: was it in the training data? Knows nothing of files, of models, or of who is a member.
"""

import numpy as np
import torch
from jaxtyping import Float

from mintmark.classify.model import logits
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet, to_unit
from mintmark.fidelity.copies import pixels
from mintmark.neighbours import nearest
from mintmark.privacy.parties import Parties
from mintmark.privacy.rates import Scores

SMALLEST_DISTANCE = 1e-6  # far below one grey level, so that a copy's logarithm is finite


def nearest_scores(
    queries: Float[torch.Tensor, "queries pixels"], synthetic: Float[torch.Tensor, "synthetic pixels"]
) -> Float[np.ndarray, " queries"]:
    """Nearest distance: who lies near to a released record is a member.

    Threat model: the attacker holds the release, and nothing else (Chen et al. 2020, GAN-Leaks, full
    black box).

    Returns:
        The distance in pixels from 0 to 1, negative; higher for a member.
    """
    return -nearest(queries, synthetic).distances[:, 0].double().numpy()


def calibrated_scores(
    nearness: Float[np.ndarray, " queries"],
    queries: Float[torch.Tensor, "queries pixels"],
    reference: Float[torch.Tensor, "reference pixels"],
) -> Float[np.ndarray, " queries"]:
    """Calibrated nearest distance: who lies nearer to a released record than to fresh real ones is a member.

    Threat model: the attacker also holds reference records. The distance to the nearest of them tells how unusual the
    record is to begin with (Chen et al. 2020, with reference records for the reference generator, as in
    van Breugel et al. 2023). The ratio is taken, not the published difference: it sees copies of ordinary records too.

    Args:
        nearness: What `nearest_scores` found: negative distances to what the target made.
        queries: The records under attack, as rows of pixels.
        reference: The attacker's fresh records.

    Returns:
        The logarithm of the distance to the reference over that to the release; higher for a member.
    """
    to_reference = nearest(queries, reference).distances[:, 0].double().numpy()
    return np.log(np.maximum(to_reference, SMALLEST_DISTANCE)) - np.log(np.maximum(-nearness, SMALLEST_DISTANCE))


def auxiliary_scores(
    queries: Float[torch.Tensor, "queries channels height width"],
    synthetic: Float[torch.Tensor, "synthetic channels height width"],
    reference: Float[torch.Tensor, "reference channels height width"],
    *,
    recipe: Recipe,
    seed: int,
) -> Float[np.ndarray, " queries"]:
    """Auxiliary discriminator: who looks synthetic is a member.

    Threat model: the attacker holds the release and reference records, no model. They train a network to tell the
    release from the reference, and ask it of the record: a generator that leans towards its training records makes
    them look like its own work (Hayes et al. 2019, LOGAN, black box with auxiliary data).

    Args:
        queries: Images in [-1, 1], as are the others.
        synthetic: The release.
        reference: The attacker's fresh records; repeated until both sides weigh the same.
        recipe: Of the network.
        seed: Of the network.

    Returns:
        The logit of "synthetic"; higher for a member.
    """
    sides = [synthetic, reference]
    most = max(len(side) for side in sides)
    images = torch.cat([side[torch.arange(most) % len(side)] for side in sides])
    is_synthetic = torch.arange(2).flip(0).repeat_interleave(most)
    network = train_classifier(images, is_synthetic, num_classes=2, recipe=recipe, seed=seed)
    answers = logits(network, queries).double()
    return (answers[:, 1] - answers[:, 0]).numpy()


def attack_samples(release: ImageSet, parties: Parties, *, recipe: Recipe, seed: int) -> dict[str, Scores]:
    """Every attack of this threat model on one release."""
    queries = parties.pixels()
    nearness = nearest_scores(queries, pixels(release.images))
    found = {
        "nearest": nearness,
        "calibrated": calibrated_scores(nearness, queries, pixels(parties.reference.images)),
        "auxiliary": auxiliary_scores(
            parties.tensors(), to_unit(release.images), to_unit(parties.reference.images), recipe=recipe, seed=seed
        ),
    }
    return {name: parties.split(scores) for name, scores in found.items()}
