"""One whole audit: the targets of all threat models, what the shadow models answer beside them, and all trials."""

from collections.abc import Mapping
from typing import NamedTuple, TypedDict

from mintmark.classify.networks import Classifier
from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import CopyFilter
from mintmark.gan.family import AnyDiscriminator, AnyGenerator
from mintmark.privacy.asked import Asked, Questions, ask_classifiers, ask_discriminators, ask_generators, ask_releases
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
        networks: The generator and the discriminator, in eval mode; None where the records were made elsewhere.
        classifier: In eval mode.
        forms: In which forms the classifier's training showed it its records.
    """

    release: ImageSet
    networks: tuple[AnyGenerator, AnyDiscriminator] | None
    classifier: Classifier
    forms: tuple[Form, ...]


def ask_shadows(
    store: Store,
    targets: Targets,
    attacked: Mapping[str, Parties],
    *,
    spaces: Spaces,
    copy_filter: CopyFilter | None,
    plan: Plan,
    seed: int,
) -> Asked:
    """What the shadow models answer, asked just as the targets are.

    Args:
        store: The shadow models.
        targets: What is under attack.
        attacked: Who is, by threat model.
        spaces: Where the attacker measures.
        copy_filter: What the release was filtered by, and so are its shadows'; None where it was not.
        plan: How attacks are run.
        seed: Of the samples.
    """
    known = targets.networks is not None
    questions = Questions(plan.questions, search=plan.search, auxiliary=plan.auxiliary, spaces=spaces, seed=seed)
    return Asked(
        samples=ask_releases(store, attacked["samples"], questions, num=len(targets.release), copy_filter=copy_filter),
        generator=ask_generators(store, attacked["generator"], questions) if known else {},
        classifier=ask_classifiers(store, attacked["classifier"], forms=targets.forms),
        discriminator=ask_discriminators(store, attacked["discriminator"]) if known else None,
    )


def plan_trials(
    targets: Targets,
    attacked: Mapping[str, Parties],
    *,
    spaces: Spaces,
    asked: Asked,
    copy_filter: CopyFilter | None,
    plan: Plan,
    seed: int,
) -> list[Trial]:
    """All trials of all threat models.

    Args:
        targets: What is under attack.
        attacked: Who is, by threat model.
        spaces: Where the attacker measures.
        asked: What the shadow models answer.
        copy_filter: What the release was filtered by; None where it was not filtered against the members.
        plan: How attacks are run and controls made.
        seed: Of everything drawn.
    """
    how = _How(spaces=spaces, plan=plan, seed=seed)
    trials = [
        *samples_trials(targets.release, attacked["samples"], shadows=asked.samples, copy_filter=copy_filter, **how),
        *classifier_trials(
            targets.classifier,
            attacked["classifier"],
            forms=targets.forms,
            shadows=asked.classifier,
            plan=plan,
            seed=seed,
        ),
    ]
    if targets.networks is not None:
        generator, discriminator = targets.networks
        trials += generator_trials(generator, attacked["generator"], shadows=asked.generator, **how)
        trials += discriminator_trials(
            discriminator,
            targets.release,
            attacked["discriminator"],
            shadows=asked.discriminator,
            plan=plan,
            seed=seed,
        )
    return trials


class _How(TypedDict):
    spaces: Spaces
    plan: Plan
    seed: int
