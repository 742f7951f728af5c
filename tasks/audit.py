"""Does anything that would be released leak who was in the training data?

In: the parts of the split, the GAN's weights, the release with its filter's thresholds, the classifier, the shadow
models, the records' clusters. Out: `report.json`, `roc.csv` and `roc.png` for everybody; per-record scores in `private/` for nobody else.
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
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.model import LoadedClassifier, load_classifier
from mintmark.data.images import ImageSet, read_images
from mintmark.errors import BadInput
from mintmark.evidence import read_report, write_report
from mintmark.fan_out import fan_out
from mintmark.fidelity.copies import CopyFilter, filter_from_facts
from mintmark.files import whole_file, whole_folder
from mintmark.gan.elsewhere import read_elsewhere
from mintmark.gan.model import LoadedDiscriminator, LoadedGenerator, load_discriminator, load_generator
from mintmark.privacy.blind import Blind, blind_baseline, features
from mintmark.privacy.campaign import Targets, ask_shadows, plan_trials
from mintmark.privacy.claim import UNIT, release_claims
from mintmark.privacy.one_run import NOBODY, Claimed, OneRun, canary_scores, one_run
from mintmark.privacy.parties import Parties, at_most, labelled_by_neighbours
from mintmark.privacy.private import private_scores
from mintmark.privacy.queries import PLAIN_FORM, Form, forms_like
from mintmark.privacy.report import Outcome, audit_report, targets_of
from mintmark.privacy.roc import roc_picture, roc_table
from mintmark.privacy.spaces import Spaces, open_spaces
from mintmark.privacy.subgroups import groups_of
from mintmark.privacy.summary import Precision
from mintmark.privacy.trials import Attacks, Plan, Trial
from mintmark.progress import track
from mintmark.shadow.canaries import read_canaries
from mintmark.shadow.store import read_store
from tasks.engine import engine
from tasks.params import main

WITHOUT_GAN = ("real", "augmented", "private")  # arms of the contest into which nothing generated enters
GENERATOR = Path("train_gan") / "generator.safetensors"
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
    targets = read_targets(data_dir, attacked["samples"].members)
    if targets.networks is None:
        attacked = {threat: attacked[threat] for threat in ("samples", "classifier")}
    cluster_of = _clusters(data_dir / "cluster" / "assignments.parquet", attacked["samples"])
    spaces = open_spaces(attacked["samples"].reference, recipe=params.plan.auxiliary, seed=params.seed)
    store = read_store(data_dir / "shadow" / "models")
    how = {"spaces": spaces, "plan": params.plan, "seed": params.seed}
    copy_filter = _copy_filter(data_dir, attacked["samples"].members)
    asked = ask_shadows(store, targets, attacked, copy_filter=copy_filter, **how)
    trials = plan_trials(targets, attacked, asked=asked, copy_filter=copy_filter, **how)
    outcomes = _attack(trials, params)
    report = audit_report(
        outcomes,
        _blind(params, max(attacked.values(), key=lambda one: len(one.members))),
        groups={threat: groups_of(parties, spaces, cluster_of=cluster_of) for threat, parties in attacked.items()},
        spread=asked.spread(),
        canaries=_canaries(params, data_dir, targets, spaces=spaces),
        precision=params.precision,
        false_failure=params.false_failure,
        seed=params.seed,
        facts={
            "records": {threat: parties.counts() for threat, parties in attacked.items()},
            "differential_privacy": _claims(data_dir),
        },
        cost={"trials": float(len(outcomes))},
    )
    folder, found = data_dir / "audit", targets_of(outcomes)
    with whole_folder(folder / "private") as private:
        pq.write_table(private_scores(attacked, found), private / "scores.parquet")
    with whole_file(folder / "roc.csv") as partial_path:
        partial_path.write_text(roc_table(found), encoding="utf-8")
    with whole_file(folder / "roc.png") as partial_path:
        roc_picture(found).savefig(partial_path, format="png", metadata={"Software": None})
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


def _clusters(path: Path, parties: Parties) -> dict[str, int]:
    """By id, the cluster whose prototype is nearest to a record under attack.

    Raises:
        BadInput: the file is missing, or does not tell of all of them.
    """
    if not path.exists():
        raise BadInput(f"{path}: expected the clusters of all records of train and test, found no file")
    table = pq.read_table(path, columns=["id", "nearest"], filters=[("part", "in", ["train", "test"])])
    found = dict(zip(table.column("id").to_pylist(), table.column("nearest").to_pylist(), strict=True))
    unknown = [one for one in (*parties.members.ids, *parties.non_members.ids) if one not in found]
    if unknown:
        raise BadInput(f"{path}: expected the clusters of all records of train and test, {len(unknown)} are missing")
    return found


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


def read_targets(data_dir: Path, members: ImageSet) -> Targets:
    """Everything that would be released, and the discriminator.

    Raises:
        BadInput: something is missing, or not of the members' form.
    """
    release_path = data_dir / "anonymise" / "release.parquet"
    release = read_images(release_path)
    if release.shape != members.shape or release.classes != members.classes or not len(release):
        raise BadInput(f"{release_path}: expected records of the form of the training records, got another or none")
    classifier = load_classifier(data_dir / "evaluate" / "classifier.safetensors")
    _check_form("classifier", classifier, members)
    networks = None
    if read_elsewhere(data_dir / GENERATOR) is None:
        generator = load_generator(data_dir / GENERATOR)
        discriminator = load_discriminator(data_dir / "train_gan" / "discriminator.safetensors")
        _check_form("generator", generator, members)
        _check_form("discriminator", discriminator, members)
        networks = generator.network, discriminator.network
    return Targets(release=release, networks=networks, classifier=classifier.network, forms=_forms(classifier))


def _check_form(name: str, model: LoadedClassifier | LoadedGenerator | LoadedDiscriminator, members: ImageSet) -> None:
    if model.classes != members.classes or tuple(model.network.shape) != members.shape:
        expected = f"classes {list(members.classes)} and shape {members.shape}"
        raise BadInput(f"{name}.safetensors: expected {expected}, got {list(model.classes)}, {model.network.shape}")


def _forms(classifier: LoadedClassifier) -> tuple[Form, ...]:
    """In which forms records are shown: those that the classifier's training made, where its facts tell."""
    recipe = classifier.facts.get("recipe") or {}
    if "augmentation" not in recipe:
        return (PLAIN_FORM,)
    return forms_like(Augmentation(**recipe["augmentation"]), shape=classifier.shape)


def _canaries(params: Params, data_dir: Path, targets: Targets, *, spaces: Spaces) -> OneRun:
    """What the twins with canaries say, against what the models' files claim."""
    folder = data_dir / "shadow" / "models"
    canaries = read_canaries(folder)
    if canaries is None:
        return NOBODY
    scores = canary_scores(
        read_store(folder),
        canaries,
        spaces=spaces,
        forms=targets.forms,
        own_samples=params.plan.search.own_samples,
        seed=params.seed,
    )
    return one_run(scores, canaries, claims=read_claims(data_dir), seed=params.seed)


def read_claims(data_dir: Path) -> dict[str, Claimed]:
    """By threat model, the differential privacy that a model's file claims."""
    files = {
        "generator": data_dir / "train_gan" / "generator.safetensors",
        "discriminator": data_dir / "train_gan" / "discriminator.safetensors",
        "classifier": data_dir / "evaluate" / "classifier.safetensors",
    }
    stated = {threat: weights.load(path)[1].get("facts", {}).get("privacy") for threat, path in files.items()}
    return {threat: Claimed(one["epsilon"], one["delta"]) for threat, one in stated.items() if one}


def _copy_filter(data_dir: Path, members: ImageSet) -> CopyFilter | None:
    """What the release was filtered by; None where it was not filtered against the training records."""
    facts = read_report(data_dir / "anonymise").facts
    if not facts.get("reads_train", True):
        return None
    try:
        return filter_from_facts(facts, members)
    except ValueError as error:
        raise BadInput(f"{data_dir / 'anonymise' / 'report.json'}: {error}") from error


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


if __name__ == "__main__":
    main("audit", Params, run)
