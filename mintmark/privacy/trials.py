"""Every attack that an audit runs: on the target, on planted leaks, and on models that saw no record under attack.

A trial is one target or control with all attacks of its threat model. Trials are independent of each other, so they may
run anywhere in any order. Knows nothing of files, tests or reports.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Bool

from mintmark.classify.networks import Classifier
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet
from mintmark.fidelity.copies import CopyFilter
from mintmark.gan.family import AnyDiscriminator, AnyGenerator
from mintmark.privacy.classifier import ShadowAnswers, attack_classifier
from mintmark.privacy.discriminator import attack_discriminator
from mintmark.privacy.generator import Question, Search, attack_generator, attack_own_samples, sample_own
from mintmark.privacy.memorised import Drill, memorising_classifier, overfit_discriminator, random_labels
from mintmark.privacy.parties import Parties, at_most
from mintmark.privacy.queries import PLAIN_FORM, Form
from mintmark.privacy.rates import Scores
from mintmark.privacy.replay import plant_copies, plant_near_copies, replay_members
from mintmark.privacy.samples import attack_samples
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.spaces import Spaces
from mintmark.privacy.strangers import mixtures, stranger_classifier, stranger_discriminator, untrained_generator

THREATS = ("samples", "classifier", "generator", "discriminator")

Attacks = dict[str, Scores]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One thing to attack.

    Attributes:
        threat: Threat model.
        kind: "target", "positive" or "negative".
        name: Of the control; negative controls of one name are draws of one control.
        attack: Runs all attacks; safe to send to another process.
        exposed: Which members a planted leak gave away; None for all members of the trial, or none.
    """

    threat: str
    kind: Literal["target", "positive", "negative"]
    name: str
    attack: Callable[[], Attacks]
    exposed: Bool[np.ndarray, " members"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How the attacks are run, and the controls made.

    Attributes:
        auxiliary: Recipe of the auxiliary discriminator.
        search: What the holder of a generator does.
        questions: What shadow generators are asked, as the target is; inversion only of those whose weights are held.
        min_class_records: Reference records that a class needs for a threshold of its own.
        leaked_share: Of members replayed in a release, and rate at which a leaking generator replays.
        negative_draws: Fresh models or releases of each negative control.
        memorised_records: Members that a positive control learns by heart, at most.
        memorise: Recipe of the classifier that does.
        overfit: How the discriminator does.
        stranger_classifier: Recipe of the classifiers that saw no record under attack.
        stranger_discriminator: How the discriminators that saw none are trained.
    """

    auxiliary: Recipe
    search: Search
    questions: tuple[Question, ...]
    min_class_records: int
    leaked_share: float
    negative_draws: int
    memorised_records: int
    memorise: Recipe
    overfit: Drill
    stranger_classifier: Recipe
    stranger_discriminator: Drill

    def __post_init__(self) -> None:
        if not 0.0 < self.leaked_share < 1.0:
            raise ValueError(f"leaked_share must lie between 0 and 1, got {self.leaked_share}")
        for name in ("negative_draws", "memorised_records"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def samples_trials(
    release: ImageSet,
    parties: Parties,
    *,
    spaces: Spaces,
    shadows: Mapping[str, Shadows],
    copy_filter: CopyFilter | None,
    plan: Plan,
    seed: int,
) -> list[Trial]:
    """The release; the release with members in it, as they are and just past the filter, if any; strangers' releases."""
    rng = np.random.default_rng([seed, 10])
    copies = plant_copies(release, parties.members, share=plan.leaked_share, rng=rng)
    attack = partial(attack_samples, parties=parties, spaces=spaces, recipe=plan.auxiliary, shadows=shadows)
    trials = [
        Trial(threat="samples", kind="target", name="release", attack=partial(attack, release, seed=seed)),
        _planted("copies of members in the release", attack, copies.release, copies.replayed, seed),
    ]
    if copy_filter is not None:
        near = plant_near_copies(release, parties.members, share=plan.leaked_share, copy_filter=copy_filter, rng=rng)
        trials.append(_planted("near-copies of members just past the filter", attack, *near, seed))
    for draw in range(plan.negative_draws):
        strange = mixtures(parties.bystanders, num=len(release), rng=np.random.default_rng([seed, 11, draw]))
        run = partial(attack, strange, seed=seed + draw)
        trials.append(
            Trial(threat="samples", kind="negative", name="release of a generator that never saw them", attack=run)
        )
    return trials


def _planted(
    name: str, attack: Callable[..., Attacks], release: ImageSet, replayed: Bool[np.ndarray, " members"], seed: int
) -> Trial:
    run = partial(attack, release, seed=seed)
    return Trial(threat="samples", kind="positive", name=name, attack=run, exposed=replayed)


def classifier_trials(
    network: Classifier,
    parties: Parties,
    *,
    forms: tuple[Form, ...],
    shadows: ShadowAnswers | None,
    plan: Plan,
    seed: int,
) -> list[Trial]:
    """The classifier; one that learnt members' random labels by heart; strangers. All under attack are labelled."""
    rng = np.random.default_rng([seed, 12])
    few = Parties(
        members=random_labels(at_most(parties.members, plan.memorised_records, rng=rng), rng=rng),
        non_members=random_labels(parties.non_members, rng=rng),
        reference=parties.reference,
        bystanders=parties.bystanders,
    )
    attack = partial(
        attack_classifier, parties=parties, min_class_records=plan.min_class_records, forms=forms, shadows=shadows
    )
    return [
        Trial(threat="classifier", kind="target", name="classifier", attack=partial(attack, network)),
        Trial(
            threat="classifier",
            kind="positive",
            name="classifier that learnt random labels by heart",
            attack=partial(_memorised_classifier, few, plan, seed),
        ),
        *(
            Trial(
                threat="classifier",
                kind="negative",
                name="classifier that never saw them",
                attack=partial(_stranger_classifier, attack, parties.bystanders, plan.stranger_classifier, seed + draw),
            )
            for draw in range(plan.negative_draws)
        ),
    ]


def _memorised_classifier(parties: Parties, plan: Plan, seed: int) -> Attacks:
    network = memorising_classifier(parties.members, recipe=plan.memorise, seed=seed)
    return attack_classifier(
        network, parties, min_class_records=plan.min_class_records, forms=(PLAIN_FORM,), shadows=None
    )


def _stranger_classifier(
    attack: Callable[[Classifier], Attacks], bystanders: ImageSet, recipe: Recipe, seed: int
) -> Attacks:
    return attack(stranger_classifier(bystanders, recipe=recipe, seed=seed))


def generator_trials(
    network: AnyGenerator,
    parties: Parties,
    *,
    spaces: Spaces,
    shadows: Mapping[str, Shadows],
    plan: Plan,
    seed: int,
) -> list[Trial]:
    """The generator; one that replays members; untrained ones."""
    own = sample_own(network, num=plan.search.own_samples, seed=seed).pixels
    rng = np.random.default_rng([seed, 13])
    replayed, exposed = replay_members(own, parties.members, rate=plan.leaked_share, rng=rng)
    attack = partial(
        attack_generator, parties=parties, spaces=spaces, search=plan.search, recipe=plan.auxiliary, shadows=shadows
    )
    return [
        Trial(threat="generator", kind="target", name="generator", attack=partial(attack, network, seed=seed)),
        Trial(
            threat="generator",
            kind="positive",
            name="generator that replays members",
            attack=partial(attack_own_samples, replayed, parties, spaces=spaces),
            exposed=exposed,
        ),
        *(
            Trial(
                threat="generator",
                kind="negative",
                name="generator that was never trained",
                attack=partial(attack, untrained_generator(network, seed=seed + draw), seed=seed + draw),
            )
            for draw in range(plan.negative_draws)
        ),
    ]


def discriminator_trials(
    network: AnyDiscriminator, release: ImageSet, parties: Parties, *, shadows: Shadows | None, plan: Plan, seed: int
) -> list[Trial]:
    """The discriminator; one that knows members by heart; strangers."""
    few = Parties(
        members=at_most(parties.members.labelled(), plan.memorised_records, rng=np.random.default_rng([seed, 14])),
        non_members=parties.non_members,
        reference=parties.reference,
        bystanders=parties.bystanders,
    )
    attack = partial(attack_discriminator, parties=parties, shadows=shadows)
    return [
        Trial(threat="discriminator", kind="target", name="discriminator", attack=partial(attack, network)),
        Trial(
            threat="discriminator",
            kind="positive",
            name="discriminator that learnt members by heart",
            attack=partial(_overfit_discriminator, release, few, plan.overfit, seed),
        ),
        *(
            Trial(
                threat="discriminator",
                kind="negative",
                name="discriminator that never saw them",
                attack=partial(
                    _stranger_discriminator, attack, parties.bystanders, plan.stranger_discriminator, seed + draw
                ),
            )
            for draw in range(plan.negative_draws)
        ),
    ]


def _overfit_discriminator(release: ImageSet, parties: Parties, drill: Drill, seed: int) -> Attacks:
    network = overfit_discriminator(release, parties, drill=drill, seed=seed)
    return attack_discriminator(network, parties, shadows=None)


def _stranger_discriminator(
    attack: Callable[[AnyDiscriminator], Attacks], bystanders: ImageSet, drill: Drill, seed: int
) -> Attacks:
    return attack(stranger_discriminator(bystanders, drill=drill, seed=seed))
