"""Threat model `samples`: the attacker holds the released records, and fresh records of their own.

They hold the release as it is published, after the filter, and a `reference` set drawn from the same population. They
ask of a record: was it in the training data? Knows nothing of files, of models, or of who is a member.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
import torch
from jaxtyping import Float

from mintmark.classify.model import logits
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet, to_unit
from mintmark.fidelity.copies import pixels
from mintmark.neighbours import nearest
from mintmark.privacy.densities import log_density, neighbourhood_mass, scott_bandwidth
from mintmark.privacy.likelihood import shadow_attacks
from mintmark.privacy.parties import Parties
from mintmark.privacy.rates import Scores
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.spaces import Spaces

SMALLEST_DISTANCE = 1e-6  # far below one grey level, so that a copy's logarithm is finite
SMALLEST_MASS = 1e-3  # of a neighbourhood without a sample, so that its logarithm is finite


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


def feature_scores(
    queries: Float[torch.Tensor, "queries features"],
    synthetic: Float[torch.Tensor, "synthetic features"],
    reference: Float[torch.Tensor, "reference features"],
) -> Float[np.ndarray, " queries"]:
    """Nearest distance in features: who lies nearer to a released record, as a network sees both, is a member.

    Threat model: as for `calibrated_scores`; distances are taken between what a classifier of the attacker's reference
    records makes of them, which forgives shifts and strokes that pixels do not (Chen et al. 2020 compare in features too).

    Returns:
        As `calibrated_scores` does.
    """
    return calibrated_scores(nearest_scores(queries, synthetic), queries, reference)


def neighbourhood_scores(
    queries: Float[torch.Tensor, "queries d"], synthetic: Float[torch.Tensor, "synthetic d"]
) -> Float[np.ndarray, " queries"]:
    """Monte Carlo neighbourhood: about whom many released records lie is a member.

    Threat model: the attacker holds the release, and the principal components of their reference records, in which
    they measure (Hilprecht et al. 2019; see `neighbourhood_mass`).

    Returns:
        At least 0; higher for a member.
    """
    return neighbourhood_mass(queries, synthetic)


def density_scores(
    queries: Float[torch.Tensor, "queries d"],
    synthetic: Float[torch.Tensor, "synthetic d"],
    reference: Float[torch.Tensor, "reference d"],
) -> Float[np.ndarray, " queries"]:
    """Density ratio: where the release is denser than the population, there are members.

    Threat model: the attacker holds the release and reference records, and estimates the density of both by kernels
    in the reference's principal components (van Breugel et al. 2023, DOMIAS).

    Returns:
        The logarithm of the ratio; higher for a member.
    """
    return release_density(queries, synthetic) - release_density(queries, reference)


def release_density(
    queries: Float[torch.Tensor, "queries d"], points: Float[torch.Tensor, "points d"]
) -> Float[np.ndarray, " queries"]:
    """The logarithm of the points' kernel density, with Scott's bandwidth for whitened points."""
    return log_density(queries, points, bandwidth=scott_bandwidth(len(points), dimensions=points.shape[1]))


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


def distance_attacks(
    rows: Float[torch.Tensor, "samples pixels"], parties: Parties, spaces: Spaces
) -> dict[str, Float[np.ndarray, " queries"]]:
    """Every attack that asks how near samples lie to a record; `feature` only where the attacker has a network.

    Args:
        rows: What a generator made, as rows of pixels in [0, 1].
        parties: Who is who.
        spaces: Where the attacker measures.
    """
    queries, reference = parties.pixels(), spaces.reference
    nearness = nearest_scores(queries, rows)
    seen, known, made = (spaces.components(one) for one in (queries, reference, rows))
    found = {
        "nearest": nearness,
        "calibrated": calibrated_scores(nearness, queries, reference),
        "neighbourhood": neighbourhood_scores(seen, made),
        "density": density_scores(seen, made, known),
    }
    if spaces.network is not None:
        found["feature"] = feature_scores(*(spaces.features(one) for one in (queries, rows, reference)))
    return found


def log_nearness(nearness: Float[np.ndarray, " queries"]) -> Float[np.ndarray, " queries"]:
    """The negative logarithm of distances that are given as negative numbers: up to its scale, a log-likelihood."""
    return -np.log(np.maximum(-nearness, SMALLEST_DISTANCE))


def _nearness(rows: torch.Tensor, queries: torch.Tensor, _: Spaces) -> np.ndarray:
    return log_nearness(nearest_scores(queries, rows))


def _density(rows: torch.Tensor, queries: torch.Tensor, spaces: Spaces) -> np.ndarray:
    return release_density(spaces.components(queries), spaces.components(rows))


def _mass(rows: torch.Tensor, queries: torch.Tensor, spaces: Spaces) -> np.ndarray:
    mass = neighbourhood_scores(spaces.components(queries), spaces.components(rows))
    return np.log(np.maximum(mass, SMALLEST_MASS))


def _nearness_in_features(rows: torch.Tensor, queries: torch.Tensor, spaces: Spaces) -> np.ndarray:
    return log_nearness(nearest_scores(spaces.features(queries), spaces.features(rows)))


def _images(rows: torch.Tensor, shape: tuple[int, int, int]) -> Float[torch.Tensor, "n channels height width"]:
    """Rows of pixels in [0, 1], channels last, as images in [-1, 1]."""
    return rows.reshape(len(rows), *shape).permute(0, 3, 1, 2).contiguous() * 2.0 - 1.0


LIKELIHOODS: dict[str, Callable[[torch.Tensor, torch.Tensor, Spaces], np.ndarray]] = {
    "nearest": _nearness,
    "density": _density,
    "neighbourhood": _mass,
    "feature": _nearness_in_features,
}


def answers_of(
    rows: Float[torch.Tensor, "samples pixels"],
    queries: Float[torch.Tensor, "queries pixels"],
    spaces: Spaces,
    questions: Collection[str],
) -> dict[str, Float[np.ndarray, " queries"]]:
    """What is asked of shadow generators' samples, and of the target's beside them; see `likelihood.shadow_attacks`.

    Args:
        rows: Samples, in [0, 1].
        queries: The records that are asked about, in [0, 1].
        spaces: Where the attacker measures.
        questions: Those among `LIKELIHOODS` are answered; `feature` only where the attacker has a network.

    Returns:
        By question, the logarithm of how likely a generator makes the record, but for what is the same for all.
    """
    asked = [name for name in LIKELIHOODS if name in questions and (name != "feature" or spaces.network is not None)]
    return {name: LIKELIHOODS[name](rows, queries, spaces) for name in asked}


def sample_answers(
    rows: Float[torch.Tensor, "samples pixels"],
    queries: Float[torch.Tensor, "queries pixels"],
    spaces: Spaces,
    questions: Collection[str],
    *,
    recipe: Recipe,
    seed: int,
) -> dict[str, Float[np.ndarray, " queries"]]:
    """The same, and the auxiliary discriminator's logit: of it, the part that is the reference's drops out too.

    Args:
        rows: Samples, in [0, 1].
        queries: The records that are asked about, in [0, 1].
        spaces: Where the attacker measures.
        questions: Those of `answers_of`, and `auxiliary`.
        recipe: Of the auxiliary discriminator, which is trained for these samples.
        seed: Of the same.
    """
    found = answers_of(rows, queries, spaces, questions)
    if "auxiliary" in questions:
        shown = (_images(part, spaces.shape) for part in (queries, rows, spaces.reference))
        found["auxiliary"] = auxiliary_scores(*shown, recipe=recipe, seed=seed)
    return found


def attack_samples(
    release: ImageSet,
    parties: Parties,
    *,
    spaces: Spaces,
    recipe: Recipe,
    shadows: Mapping[str, Shadows],
    seed: int,
) -> dict[str, Scores]:
    """Every attack of this threat model on one release.

    Args:
        release: What is published.
        parties: Who is who.
        spaces: Where the attacker measures.
        recipe: Of the auxiliary discriminator.
        shadows: What releases of shadow generators answer, by question; none where there are none.
        seed: Of the auxiliary discriminator.
    """
    rows = pixels(release.images)
    found = distance_attacks(rows, parties, spaces)
    found["auxiliary"] = auxiliary_scores(
        parties.tensors(), to_unit(release.images), to_unit(parties.reference.images), recipe=recipe, seed=seed
    )
    answers = sample_answers(rows, parties.pixels(), spaces, tuple(shadows), recipe=recipe, seed=seed)
    found |= shadow_attacks(answers, shadows)
    return {name: parties.split(scores) for name, scores in found.items()}
