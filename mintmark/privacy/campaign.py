"""One whole audit: the targets of all threat models, what the shadow models answer beside them, and all trials."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from mintmark.classify.networks import Classifier
from mintmark.data.images import ImageSet
from mintmark.gan.family import AnyDiscriminator, AnyGenerator
from mintmark.privacy.asked import Asked, ask_classifiers, ask_discriminators, ask_generators
from mintmark.privacy.parties import Parties
from mintmark.privacy.queries import Form
from mintmark.privacy.spaces import Spaces
from mintmark.privacy.trials import (
    Plan,
    Trial,
    classifier_trials,
    discriminator_trials,
    generator_trials,
    samples_trials,
)
from mintmark.shadow.store import Store


class Targets(NamedTuple):
    """What is under attack.

    Attributes:
        release: The synthetic records after the filter.
        generator, discriminator, classifier: Networks, in eval mode.
        forms: In which forms the classifier's training showed it its records.
    """

    release: ImageSet
    generator: AnyGenerator
    discriminator: AnyDiscriminator
    classifier: Classifier
    forms: tuple[Form, ...]


def ask_shadows(
    store: Store, targets: Targets, attacked: Mapping[str, Parties], *, spaces: Spaces, plan: Plan, seed: int
) -> Asked:
    """What the shadow models answer, asked just as the targets are.

    Args:
        store: The shadow models.
        targets: What is under attack.
        attacked: Who is, by threat model.
        spaces: Where the attacker measures.
        plan: How attacks are run.
        seed: Of the samples.
    """
    generators = partial(ask_generators, store, spaces=spaces, seed=seed)
    return Asked(
        samples=generators(attacked["samples"], num=len(targets.release)),
        generator=generators(attacked["generator"], num=plan.search.own_samples),
        classifier=ask_classifiers(store, attacked["classifier"], forms=targets.forms),
        discriminator=ask_discriminators(store, attacked["discriminator"]),
    )


def plan_trials(
    targets: Targets,
    attacked: Mapping[str, Parties],
    *,
    spaces: Spaces,
    asked: Asked,
    thresholds: Mapping[int, float],
    plan: Plan,
    seed: int,
) -> list[Trial]:
    """All trials of all threat models.

    Args:
        targets: What is under attack.
        attacked: Who is, by threat model.
        spaces: Where the attacker measures.
        asked: What the shadow models answer.
        thresholds: The filter's, by class code.
        plan: How attacks are run and controls made.
        seed: Of everything drawn.
    """
    return [
        *samples_trials(
            targets.release,
            attacked["samples"],
            spaces=spaces,
            shadows=asked.samples,
            thresholds=thresholds,
            plan=plan,
            seed=seed,
        ),
        *classifier_trials(
            targets.classifier,
            attacked["classifier"],
            forms=targets.forms,
            shadows=asked.classifier,
            plan=plan,
            seed=seed,
        ),
        *generator_trials(
            targets.generator, attacked["generator"], spaces=spaces, shadows=asked.generator, plan=plan, seed=seed
        ),
        *discriminator_trials(
            targets.discriminator,
            targets.release,
            attacked["discriminator"],
            shadows=asked.discriminator,
            plan=plan,
            seed=seed,
        ),
    ]
