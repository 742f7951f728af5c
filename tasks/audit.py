"""Does anything that would be released leak who was in the training data?

In: the parts of the split, the GAN's weights, the release with its filter's thresholds, the classifier, the shadow
models. Out: `report.json`, `roc.csv` and `roc.png` for everybody; per-record scores in `private/` for nobody else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from mintmark import weights
from mintmark.classify.model import load_classifier, logits
from mintmark.data.images import ImageSet, read_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report, write_report
from mintmark.fan_out import fan_out
from mintmark.files import whole_file, whole_folder
from mintmark.gan.model import load_discriminator, load_generator
from mintmark.privacy.blind import Blind, blind_baseline, features
from mintmark.privacy.claim import UNIT, release_claims
from mintmark.privacy.classifier import confidence_scores
from mintmark.privacy.discriminator import logit_scores
from mintmark.privacy.generator import sample_own
from mintmark.privacy.parties import Parties, at_most, labelled_by_neighbours
from mintmark.privacy.private import private_scores
from mintmark.privacy.report import Outcome, audit_report, targets_of
from mintmark.privacy.roc import roc_picture, roc_table
from mintmark.privacy.samples import nearest_scores
from mintmark.privacy.shadows import Shadows
from mintmark.privacy.summary import Precision
from mintmark.privacy.trials import (
    Attacks,
    Plan,
    Trial,
    classifier_trials,
    discriminator_trials,
    generator_trials,
    samples_trials,
)
from mintmark.progress import track
from mintmark.shadow.store import Store, read_store
from tasks.engine import engine
from tasks.params import main

UNLABELLED = "unlabelled"
WITHOUT_GAN = ("real", "augmented", "private")  # arms of the contest into which nothing generated enters
SMALLEST_PART = 5  # labelled records of each part; the blind baseline folds fivefold


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `audit`.

    Attributes:
        seed: Of everything drawn.
        threads: Threads of PyTorch in each worker.
        workers: Processes; without effect on the results.
        max_records: Members, and non-members, that are attacked at most.
        false_failure: Probability that any negative control fails where nothing is wrong.
        blind_permutations: Of the blind baseline's test.
        blind_records: Members, and non-members, that the blind baseline sees at most.
        precision: How attacks are measured.
        plan: How attacks are run and controls made.
    """

    seed: int
    threads: int
    workers: int
    max_records: int
    false_failure: float
    blind_permutations: int
    blind_records: int
    precision: Precision
    plan: Plan

    def __post_init__(self) -> None:
        for name in ("threads", "workers", "max_records", "blind_permutations", "blind_records"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0.0 < self.false_failure < 1.0:
            raise ValueError(f"false_failure must lie between 0 and 1, got {self.false_failure}")


def run(params: Params, data_dir: Path) -> None:
    """Attack everything, and write what came of it."""
    torch.set_num_threads(params.threads)
    attacked = read_parties(params, data_dir)
    outcomes = _attack(plan_trials(params, data_dir, attacked), params)
    report = audit_report(
        outcomes,
        _blind(params, max(attacked.values(), key=lambda one: len(one.members))),
        precision=params.precision,
        false_failure=params.false_failure,
        seed=params.seed,
        facts={
            "records": {threat: _counts(parties) for threat, parties in attacked.items()},
            "differential_privacy": _claims(data_dir),
        },
        cost={"trials": float(len(outcomes))},
    )
    folder, targets = data_dir / "audit", targets_of(outcomes)
    with whole_folder(folder / "private") as private:
        pq.write_table(private_scores(attacked, targets), private / "scores.parquet")
    with whole_file(folder / "roc.csv") as partial_path:
        partial_path.write_text(roc_table(targets), encoding="utf-8")
    with whole_file(folder / "roc.png") as partial_path:
        roc_picture(targets).savefig(partial_path, format="png", metadata={"Software": None})
    write_report(report, folder)


def read_parties(params: Params, data_dir: Path) -> dict[str, Parties]:
    """Who is under attack, by threat model: at most `max_records` of each sort.

    Unlabelled records are members only where the target learnt from some, be it by way of the generator. The generator's
    holder searches the latent space, which is too dear to be spent on all of a large set.
    """
    parts = {}
    for name in ("train", "test", "reference", "validation"):
        path = data_dir / "split" / f"{name}.parquet"
        parts[name] = read_images(path)
        if len(parts[name].labelled()) < SMALLEST_PART:
            found = len(parts[name].labelled())
            raise BadInput(f"{path}: expected at least {SMALLEST_PART} labelled records to audit with, found {found}")
    of_gan, of_classifier = _learnt_from_unlabelled(data_dir)
    everybody = _parties(parts, params, unlabelled=of_gan)
    return {
        **dict.fromkeys(("samples", "discriminator"), everybody),
        "classifier": everybody if of_gan == of_classifier else _parties(parts, params, unlabelled=of_classifier),
        "generator": everybody.at_most(params.plan.search.max_records, rng=np.random.default_rng([params.seed, 22])),
    }


def _parties(parts: Mapping[str, ImageSet], params: Params, *, unlabelled: bool) -> Parties:
    """The parties with unlabelled records under attack, all labelled by one rule; or without them."""
    members, others = (parts[name] if unlabelled else parts[name].labelled() for name in ("train", "test"))
    rng = np.random.default_rng([params.seed, 20])
    parties = Parties(
        members=at_most(members, params.max_records, rng=rng),
        non_members=at_most(others, params.max_records, rng=rng),
        reference=parts["reference"] if unlabelled else parts["reference"].labelled(),
        bystanders=parts["validation"].labelled(),
    )
    return labelled_by_neighbours(parties) if unlabelled else parties


def _learnt_from_unlabelled(data_dir: Path) -> tuple[bool, bool]:
    """Whether the generator, and whether the classifier, learnt from unlabelled records, by the facts in their files."""
    generator = weights.load(data_dir / "train_gan" / "generator.safetensors")[1].get("facts", {})
    classifier = weights.load(data_dir / "evaluate" / "classifier.safetensors")[1].get("facts", {})
    of_gan = generator.get("unlabelled_records", 0) > 0
    by_way_of_gan = of_gan and classifier.get("arm") not in WITHOUT_GAN
    return of_gan, by_way_of_gan or classifier.get("unlabelled_records", 0) > 0


def _claims(data_dir: Path) -> dict[str, Any]:
    """Which epsilon may be claimed of what, or why none, by the facts that the other stages left."""
    claims = release_claims(
        generator=weights.load(data_dir / "train_gan" / "generator.safetensors")[1].get("facts", {}),
        classifier=weights.load(data_dir / "evaluate" / "classifier.safetensors")[1].get("facts", {}),
        anonymise=read_report(data_dir / "anonymise").facts,
    )
    return {"unit": UNIT, **{name: claim.as_json() for name, claim in claims.items()}}


def plan_trials(params: Params, data_dir: Path, attacked: Mapping[str, Parties]) -> list[Trial]:
    """All trials, on everything that the other stages left; `attacked` tells by threat model who is under attack."""
    release_path = data_dir / "anonymise" / "release.parquet"
    of_samples, of_classifier = attacked["samples"], attacked["classifier"]
    of_generator, of_discriminator = attacked["generator"], attacked["discriminator"]
    release, members = read_images(release_path), of_samples.members
    if release.shape != members.shape or release.classes != members.classes or not len(release):
        raise BadInput(f"{release_path}: expected records of the form of the training records, got another or none")
    generator = load_generator(data_dir / "train_gan" / "generator.safetensors")
    discriminator = load_discriminator(data_dir / "train_gan" / "discriminator.safetensors")
    classifier = load_classifier(data_dir / "evaluate" / "classifier.safetensors")
    for name, model in (("generator", generator), ("discriminator", discriminator), ("classifier", classifier)):
        if model.classes != members.classes or tuple(model.network.shape) != members.shape:
            expected = f"classes {list(members.classes)} and shape {members.shape}"
            raise BadInput(f"{name}.safetensors: expected {expected}, got {list(model.classes)}, {model.network.shape}")
    store = read_store(data_dir / "shadow" / "models")
    plan, seed = params.plan, params.seed
    return [
        *samples_trials(release, of_samples, thresholds=_thresholds(data_dir, members), plan=plan, seed=seed),
        *classifier_trials(
            classifier.network, of_classifier, shadows=_classifier_shadows(store, of_classifier), plan=plan, seed=seed
        ),
        *generator_trials(
            generator.network,
            of_generator,
            shadows=_generator_shadows(store, of_generator, params),
            plan=plan,
            seed=seed,
        ),
        *discriminator_trials(
            discriminator.network,
            release,
            of_discriminator,
            shadows=_discriminator_shadows(store, of_discriminator),
            plan=plan,
            seed=seed,
        ),
    ]


def _thresholds(data_dir: Path, members: ImageSet) -> dict[int, float]:
    """The filter's thresholds by class code; no less than that of unlabelled records, which may hide in any class."""
    stated = read_report(data_dir / "anonymise").facts.get("thresholds", {})
    names = {code: members.classes[code] for code in np.unique(members.codes).tolist()}
    lacking = sorted(set(names.values()) - set(stated))
    if lacking:
        raise BadInput(f"{data_dir / 'anonymise' / 'report.json'}: expected thresholds of every class, lacks {lacking}")
    least = float(stated.get(UNLABELLED, 0.0))
    return {code: max(least, float(stated[name])) for code, name in names.items()}


def _classifier_shadows(store: Store, parties: Parties) -> Shadows | None:
    def ask(path: Path) -> np.ndarray:
        return confidence_scores(logits(load_classifier(path).network, parties.tensors()), parties.codes())

    return _shadows(store, store.classifiers, parties, ask)


def _generator_shadows(store: Store, parties: Parties, params: Params) -> Shadows | None:
    def ask(path: Path) -> np.ndarray:
        own = sample_own(load_generator(path).network, num=params.plan.search.own_samples, seed=params.seed)
        return nearest_scores(parties.pixels(), own.pixels)

    return _shadows(store, store.generators, parties, ask)


def _discriminator_shadows(store: Store, parties: Parties) -> Shadows | None:
    def ask(path: Path) -> np.ndarray:
        return logit_scores(load_discriminator(path).network, parties.tensors(), parties.codes())

    return _shadows(store, store.discriminators, parties, ask)


def _shadows(
    store: Store, paths: Mapping[str, Path], parties: Parties, ask: Callable[[Path], np.ndarray]
) -> Shadows | None:
    """What the shadows answer to the records under attack; None where there are no shadows."""
    if not paths:
        return None
    ids = [*parties.members.ids, *parties.non_members.ids]
    return Shadows(np.stack([ask(path) for path in paths.values()]), store.membership(list(paths), ids))


def _attack(trials: list[Trial], params: Params) -> list[Outcome]:
    """Run all trials; the order of the outcomes is that of the trials, whatever the number of workers."""
    jobs = (partial(_attack_one, trial.attack, params.threads) for trial in trials)
    with engine(workers=params.workers):
        done = track(fan_out(jobs, workers=params.workers), "attacks", total=len(trials))
        return [Outcome(trial, attacks) for trial, attacks in zip(trials, done, strict=True)]


def _attack_one(attack: Callable[[], Attacks], threads: int) -> Attacks:
    torch.set_num_threads(threads)
    return attack()


def _blind(params: Params, parties: Parties) -> Blind:
    """The blind baseline on the labelled records under attack."""
    rng = np.random.default_rng([params.seed, 21])
    few = parties.at_most(params.blind_records, rng=rng)
    codes = few.codes()
    return blind_baseline(
        features(few.pixels().numpy(), codes, num_classes=len(few.members.classes)),
        is_member=np.arange(len(codes)) < len(few.members),
        strata=codes,
        permutations=params.blind_permutations,
        rng=rng,
    )


def _counts(parties: Parties) -> dict[str, Any]:
    return {
        "members": len(parties.members),
        "non_members": len(parties.non_members),
        "reference": len(parties.reference),
        "bystanders": len(parties.bystanders),
    }


if __name__ == "__main__":
    main("audit", Params, run)
