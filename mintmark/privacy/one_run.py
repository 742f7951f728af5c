"""What the twins with canaries say: a lower bound on epsilon by threat model, and whether it contradicts a claim.

Threat models are those of the plain scores (`confidence_scores`, `logit_scores`, `answers_of`); the coins are the
canaries'. The largest bound of the three kinds of canaries counts, each at its share of the error.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mintmark.classify.model import load_classifier
from mintmark.evidence import Measurement
from mintmark.fidelity.copies import pixels
from mintmark.gan.model import load_discriminator, load_generator
from mintmark.privacy.discriminator import logit_scores
from mintmark.privacy.epsilon import chosen_epsilon_bound
from mintmark.privacy.generator import sample_own
from mintmark.privacy.queries import Form, confidence_scores
from mintmark.privacy.rounding import DIGITS, LEVEL
from mintmark.privacy.samples import answers_of
from mintmark.privacy.spaces import Spaces
from mintmark.shadow.canaries import KINDS, Canaries
from mintmark.shadow.store import Store

DELTA = 1e-5  # of the bound, where nothing is claimed
OF_CANARIES = ("nearest", "density")  # what is asked of a generator that saw them or not


class Claimed(NamedTuple):
    """What is claimed of a training: (epsilon, delta)-differential privacy."""

    epsilon: float
    delta: float


class OneRun(NamedTuple):
    """What one training with canaries says of each threat model.

    Attributes:
        measurements: `THREAT_epsilon_bound` of each.
        contradicted: The threat models whose bound exceeds what is claimed.
        facts: By threat model: the bound of each kind of canary, and the claim.
    """

    measurements: tuple[Measurement, ...]
    contradicted: tuple[str, ...]
    facts: dict[str, dict[str, float | None]]


NOBODY = OneRun((), (), {})


def canary_scores(
    store: Store,
    canaries: Canaries,
    *,
    spaces: Spaces,
    forms: tuple[Form, ...],
    own_samples: int,
    seed: int,
) -> dict[str, Float[np.ndarray, "attacks canaries"]]:
    """By threat model, every plain score of the canaries on the twins.

    Args:
        store: Where the twins lie.
        canaries: Whom to ask for.
        spaces: Where the attacker measures.
        forms: In which the classifier is shown records.
        own_samples: Of the generator.
        seed: Of those.
    """
    images, codes = canaries.images.tensors()[0], canaries.images.codes
    found: dict[str, np.ndarray] = {}
    if "classifier" in store.twins:
        classifier = load_classifier(store.twins["classifier"]).network
        found["classifier"] = confidence_scores(classifier, images, codes, forms=forms)[None]
    if "discriminator" in store.twins:
        found["discriminator"] = logit_scores(load_discriminator(store.twins["discriminator"]).network, images, codes)[
            None
        ]
    if "generator" in store.twins:
        own = sample_own(load_generator(store.twins["generator"]).network, num=own_samples, seed=seed)
        asked = pixels(canaries.images.images)
        found["generator"] = np.stack(list(answers_of(own.pixels, asked, spaces, OF_CANARIES).values()))
    return found


def one_run(
    scores: Mapping[str, Float[np.ndarray, "attacks canaries"]],
    canaries: Canaries,
    *,
    claims: Mapping[str, Claimed],
    seed: int,
) -> OneRun:
    """Bounds, and what they contradict.

    Args:
        scores: By threat model; see `canary_scores`.
        canaries: With their coins.
        claims: By threat model, where differential privacy is claimed.
        seed: Of the halves on which attack and number of guesses are chosen.
    """
    measurements, contradicted, facts = [], [], {}
    for threat, asked in scores.items():
        claim = claims.get(threat)
        bounds = {
            kind: chosen_epsilon_bound(
                asked[:, canaries.of_kind(kind)],
                canaries.planted[canaries.of_kind(kind)],
                delta=DELTA if claim is None else claim.delta,
                level=1.0 - (1.0 - LEVEL) / len(KINDS),
                rng=np.random.default_rng([seed, 50, place]),
            )
            for place, kind in enumerate(KINDS)
        }
        largest = max(bounds, key=lambda kind: bounds[kind][0])
        bound, guesses, _ = bounds[largest]
        measurements.append(
            Measurement(
                name=f"{threat}_epsilon_bound",
                value=round(bound, DIGITS),
                unit="epsilon",
                n=guesses,
                level=LEVEL,
                note=f"Training like this is surely not more private than this epsilon; seen on {largest} canaries.",
            )
        )
        if claim is not None and bound > claim.epsilon:
            contradicted.append(threat)
        facts[threat] = {
            **{kind: round(found[0], DIGITS) for kind, found in bounds.items()},
            "claimed": None if claim is None else claim.epsilon,
        }
    return OneRun(tuple(measurements), tuple(contradicted), facts)
