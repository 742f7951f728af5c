"""What the shadow models answer to the records under attack: loads each, asks it, and forgets it again."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool

from mintmark.classify.model import load_classifier
from mintmark.classify.training import Recipe
from mintmark.data.images import together
from mintmark.evidence import Measurement
from mintmark.fidelity.copies import CopyFilter, near_copies
from mintmark.gan.model import load_discriminator, load_generator
from mintmark.privacy.classifier import ShadowAnswers
from mintmark.privacy.discriminator import logit_scores
from mintmark.privacy.generator import Search, inversion_scores, sample_own
from mintmark.privacy.likelihood import lira_scores
from mintmark.privacy.parties import Parties
from mintmark.privacy.queries import Form, ask
from mintmark.privacy.samples import log_nearness, sample_answers
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.spaces import Spaces
from mintmark.privacy.targets import spread_measurements
from mintmark.shadow.store import Store


class Asked(NamedTuple):
    """All answers, by threat model: by question, or of the only one; empty or None without shadows."""

    samples: dict[str, Shadows]
    generator: dict[str, Shadows]
    classifier: ShadowAnswers | None
    discriminator: Shadows | None

    def spread(self) -> list[Measurement]:
        """What a likelihood ratio attack achieves on each shadow in turn; see `mintmark.privacy.targets`."""
        confidences = None if self.classifier is None else self.classifier.confidences
        of_networks = {"classifier": confidences, "discriminator": self.discriminator}
        listed = [(threat, "lira", shadows) for threat, shadows in of_networks.items() if shadows is not None]
        for threat, by_question in (("samples", self.samples), ("generator", self.generator)):
            listed += [(threat, f"{question}_lira", shadows) for question, shadows in by_question.items()]
        return [
            one for threat, name, shadows in listed for one in spread_measurements(threat, shadows, {name: lira_scores})
        ]


def ask_classifiers(store: Store, parties: Parties, *, forms: tuple[Form, ...]) -> ShadowAnswers | None:
    """What every shadow classifier answers, asked in the given forms; None where there are none."""
    if not store.classifiers:
        return None
    answers = [
        ask(load_classifier(path).network, parties.tensors(), parties.codes(), forms=forms)
        for path in store.classifiers.values()
    ]
    trained_on = _trained_on(store, store.classifiers, parties)
    return ShadowAnswers(*(Shadows(np.stack(part), trained_on) for part in zip(*answers, strict=True)))


def ask_discriminators(store: Store, parties: Parties) -> Shadows | None:
    """The logit of every shadow discriminator; None where there are none."""
    if not store.discriminators:
        return None
    answers = [
        logit_scores(load_discriminator(path).network, parties.tensors(), parties.codes())
        for path in store.discriminators.values()
    ]
    return Shadows(np.stack(answers), _trained_on(store, store.discriminators, parties))


class Questions(NamedTuple):
    """What is asked of shadow generators, and how.

    Attributes:
        names: See `samples.sample_answers` and `generator.attack_generator`.
        search: Of the latent inversion.
        auxiliary: Recipe of the auxiliary discriminator.
        spaces: Where the attacker measures.
        seed: Of the samples and of the auxiliary discriminators.
    """

    names: tuple[str, ...]
    search: Search
    auxiliary: Recipe
    spaces: Spaces
    seed: int

    def of_samples(self, rows: torch.Tensor, parties: Parties) -> dict[str, np.ndarray]:
        """What so many samples answer."""
        return sample_answers(rows, parties.pixels(), self.spaces, self.names, recipe=self.auxiliary, seed=self.seed)


def ask_generators(store: Store, parties: Parties, questions: Questions) -> dict[str, Shadows]:
    """What every shadow generator answers whose weights are held, by question; empty where there are none."""
    answers = []
    for path in store.generators.values():
        network = load_generator(path).network
        own = sample_own(network, num=questions.search.own_samples, seed=questions.seed)
        found = questions.of_samples(own.pixels, parties)
        if "inversion" in questions.names:
            inverted = inversion_scores(network, parties.pixels(), own=own, search=questions.search)
            found["inversion"] = log_nearness(inverted)
        answers.append(found)
    return _by_question(store, answers, parties)


def ask_releases(
    store: Store, parties: Parties, questions: Questions, *, num: int, copy_filter: CopyFilter | None
) -> dict[str, Shadows]:
    """The same of releases: every shadow generator's samples after the filter, against what that generator learnt from.

    Args:
        store: The shadow models.
        parties: Who is who; what a shadow learnt from is taken from the records under attack.
        questions: Inversion is none for a release.
        num: Samples before the filter.
        copy_filter: The target's; None where it had none.
    """
    answers = []
    everybody = together(parties.members, parties.non_members)
    for path, learnt in zip(store.generators.values(), _trained_on(store, store.generators, parties), strict=True):
        rows = sample_own(load_generator(path).network, num=num, seed=questions.seed).pixels
        if copy_filter is not None:
            images = (rows * 255.0).round().clamp(0, 255).to(torch.uint8).numpy().reshape(num, *questions.spaces.shape)
            rows = rows[torch.from_numpy(~near_copies(images, everybody.take(learnt), copy_filter))]
        answers.append(questions.of_samples(rows, parties))
    return _by_question(store, answers, parties)


def _by_question(store: Store, answers: list[dict[str, np.ndarray]], parties: Parties) -> dict[str, Shadows]:
    trained_on = _trained_on(store, store.generators, parties)
    return {name: Shadows(np.stack([one[name] for one in answers]), trained_on) for name in (answers or [{}])[0]}


def _trained_on(store: Store, paths: Mapping[str, Path], parties: Parties) -> Bool[np.ndarray, "shadows queries"]:
    return store.membership(list(paths), [*parties.members.ids, *parties.non_members.ids])
