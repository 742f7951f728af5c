"""Fit anomaly detectors and judge them: split, release and trained networks in, a guard and measurements out.

Reads the train part (to fit), the validation part (to set thresholds), the test part (to judge, and nothing else), the
released records (to fit the guard, and nothing else), the generator, the discriminator, and the classifier that the guard
stands before. Writes the guard (detector.safetensors), the report, ROC curves, what rejecting gains, explained examples,
what the discriminator sees, and which training records are suspicious: these name real records and stay in the house.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mintmark.anomaly import judgement, model, reject
from mintmark.anomaly.anogan import AnoGan
from mintmark.anomaly.corruptions import CORRUPTIONS
from mintmark.anomaly.descent import in_blocks
from mintmark.anomaly.detector import Detector
from mintmark.anomaly.embedding import Embedding, draw_absence, draw_embedding, embed
from mintmark.anomaly.family import COMBINATION, Networks, PcaRecipe, Recipes, fit_members, require_kinds
from mintmark.anomaly.judgement import GUARD
from mintmark.anomaly.measurements import Rates, member_leak, thresholds
from mintmark.anomaly.pictures import Explained, draw_explanations, draw_rejection, draw_roc, roc_table
from mintmark.anomaly.scoring import Case, Scores, combined, score
from mintmark.anomaly.screening import Screening, screen, suspects_table
from mintmark.anomaly.threshold import p_values
from mintmark.anomaly.trial import Trial, at_most, divide, grades, set_up
from mintmark.classify.model import load_classifier, logits
from mintmark.data.images import ImageSet, read_images, to_unit
from mintmark.devices import DeviceName, pick_device
from mintmark.errors import BadInput
from mintmark.evidence import Report, write_report
from mintmark.files import whole_file
from mintmark.gan.elsewhere import read_elsewhere
from mintmark.gan.model import load_discriminator, load_generator
from tasks.engine import engine
from tasks.params import main

UNTOUCHED_EXAMPLES = 2
EXPLAINED = ("anogan", "memory", "pca_residual")  # whose pictures say the most, where they take part


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `detect` of params.yaml."""

    seed: int
    threads: int
    device: DeviceName
    level: float
    rates: Rates
    reference_share: float
    max_records: int
    corruptions: Mapping[str, float]
    detectors: tuple[str, ...]
    recipes: Recipes
    guard: PcaRecipe
    corrupted_share: float
    embedding: Embedding
    screening: Screening

    def __post_init__(self) -> None:
        for name in ("threads", "max_records"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("level", "reference_share", "corrupted_share"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if not self.corruptions or not set(self.corruptions) <= set(CORRUPTIONS):
            raise ValueError(f"corruptions must be some of {sorted(CORRUPTIONS)}, got {sorted(self.corruptions)}")
        for name, strength in self.corruptions.items():
            if not 0 < strength <= 1:
                raise ValueError(f"corruptions.{name} must be above 0 and at most 1, got {strength}")
        require_kinds(self.detectors)


def run(params: Params, data_dir: Path) -> None:
    """Fit, judge and write.

    Raises:
        BadInput: an input is missing, too small, or does not fit the others.
    """
    torch.set_num_threads(params.threads)
    folder, rng = data_dir / "detect", np.random.default_rng(params.seed)
    train, validation, test = (
        read_images(data_dir / "split" / f"{part}.parquet") for part in ("train", "validation", "test")
    )
    networks = _networks(data_dir / "train_gan", params)
    members = fit_members(
        params.detectors, to_unit(train.images), recipes=params.recipes, networks=networks, seed=params.seed
    )
    case = _case(params, validation, test, rng)
    guard = _guard(read_images(data_dir / "anonymise" / "release.parquet"), case, params)
    every = _score(params.detectors, members, guard, case)
    fitted_on = guard.detector.score(to_unit(at_most(train, max_records=params.max_records, rng=rng).images))
    answers = _answers(data_dir / "evaluate" / "classifier.safetensors", case, test)
    rejecters = _rejecters(every, reject.doubt(case, answers))
    with engine(workers=params.screening.folds.workers):
        findings = screen(train, screening=params.screening, corruptions=params.corruptions, seed=params.seed)
    mixture = reject.mix(case, answers, corrupted_share=params.corrupted_share, rng=rng)
    limits = {one.kind: thresholds(one, rates=params.rates) for one in (*every, *rejecters)}
    limits[GUARD] = {name: guard.thresholds.get(name) for name in params.rates.by_name()}
    report = Report(
        stage="detect",
        measurements=(
            *judgement.judge(every, thresholds=limits, rates=params.rates, rng=rng, level=params.level),
            member_leak(every[-1], train=fitted_on, rng=rng, level=params.level),
            *reject.measure(rejecters, mixture, thresholds=_novelty(limits), rng=rng, level=params.level),
            *findings.measurements,
        ),
        headline=tuple(f"{one.kind}_auroc" for one in every),
        facts=judgement.facts(every, thresholds=limits, rates=params.rates, level=params.level)
        | {"corruptions": dict(params.corruptions), "guard": {"kind": guard.detector.kind, "fitted_on": "release"}},
        cost=_cost(members, len(case.images)),
    )
    tables = {"roc": roc_table(every), "reject": reject.curves(rejecters, mixture)}
    for name, table in tables.items():
        with whole_file(folder / f"{name}.csv") as partial:
            table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
    with whole_file(folder / "suspects.parquet") as partial:  # as all that names records; text may be published
        suspects_table(train, findings).to_parquet(partial, index=False, compression="zstd")
    aurocs = {one.kind: report[f"{one.kind}_auroc"].value or 0.0 for one in every}
    draw_roc(folder / "roc.png", tables["roc"], aurocs=aurocs)
    draw_rejection(folder / "reject.png", tables["reject"], corrupted_share=params.corrupted_share)
    _draw_explanations(folder / "explain.png", case.trial, members, every, params.rates)
    _draw_embedding(folder / "tsne.png", test, networks, params, rng)
    model.save_guard(folder / "detector.safetensors", guard)
    write_report(report, folder)


def _networks(folder: Path, params: Params) -> Networks | None:
    """The trained networks; None where the records were made elsewhere."""
    path = folder / "generator.safetensors"
    if read_elsewhere(path) is not None:
        return None
    device = pick_device(params.device)
    return Networks(
        generator=load_generator(path).network.to(device),
        discriminator=load_discriminator(folder / "discriminator.safetensors").network.to(device),
    )


def _case(params: Params, validation: ImageSet, test: ImageSet, rng: np.random.Generator) -> Case:
    trial = set_up(test, corruptions=params.corruptions, max_records=params.max_records, rng=rng)
    usable = at_most(validation, max_records=params.max_records, rng=rng)
    references, calibration = (to_unit(part.images) for part in divide(usable, share=params.reference_share, rng=rng))
    return Case(references=references, calibration=calibration, trial=trial)


def _guard(released: ImageSet, case: Case, params: Params) -> model.Guard:
    """Fitted on the release alone."""
    return model.fit_guard(
        to_unit(released.images),
        calibration=case.calibration,
        num_components=params.guard.num_components,
        rates=params.rates,
        classes=released.classes,
    )


def _score(kinds: Sequence[str], members: Sequence[Detector], guard: model.Guard, case: Case) -> list[Scores]:
    """Every detector's scores, the guard's last."""
    every = [score(one, case) for one in members]
    if COMBINATION in kinds:
        every.append(combined(every, kind=COMBINATION))
    return [*every, replace(score(guard.detector, case), kind=GUARD)]


def _answers(path: Path, case: Case, test: ImageSet) -> torch.Tensor:
    """The deployed classifier's logits of every image."""
    loaded = load_classifier(path)
    if loaded.classes != test.classes:
        raise BadInput(f"{path}: expected a classifier of the classes {list(test.classes)}, got {list(loaded.classes)}")
    return logits(loaded.network, case.images)


def _rejecters(every: Sequence[Scores], confidence: Scores) -> list[Scores]:
    """What may stand before the classifier: the last detector, the guard, its own confidence, or the latter two."""
    *_, last, guard = every
    return [last, guard, confidence, combined([guard, confidence], kind=f"{GUARD}_and_{confidence.kind}")]


def _novelty(limits: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """Beyond these a record is not answered."""
    return {kind: one for kind, by_alarm in limits.items() if (one := by_alarm["novelty"]) is not None}


def _cost(members: Sequence[Detector], num_searched: int) -> dict[str, float]:
    searchers = [one for one in members if isinstance(one, AnoGan)]
    return judgement.cost(searchers[0], num_searched=num_searched) if searchers else {}


def _draw_embedding(
    path: Path, test: ImageSet, networks: Networks | None, params: Params, rng: np.random.Generator
) -> None:
    """Where a discriminator sees the untouched, the mildly corrupted and the corrupted."""
    if networks is None:
        draw_absence(path, "No discriminator: the records were made elsewhere.")
        return
    shown, discriminator = params.embedding, networks.discriminator
    groups = grades(
        test, corruptions=params.corruptions, mildness=shown.mildness, max_records=shown.max_records, rng=rng
    )
    device = next(discriminator.parameters()).device
    features = in_blocks(lambda block: discriminator.features(block.to(device)).cpu(), torch.cat(list(groups.values())))
    places = embed(features, perplexity=shown.perplexity, seed=params.seed)
    draw_embedding(path, places, groups=[(name, len(images)) for name, images in groups.items()])


def _draw_explanations(
    path: Path, trial: Trial, members: Sequence[Detector], every: Sequence[Scores], rates: Rates
) -> None:
    """The first untouched records and the first of each corruption: not chosen by how well they look."""
    untouched = trial.normals[:UNTOUCHED_EXAMPLES]
    examples = torch.cat([untouched, *(images[:1] for images in trial.anomalies.values())])
    calibration = {one.kind: one.calibration for one in every}
    accounts = [
        Explained(
            kind=detector.kind,
            p_values=p_values(detector.score(examples), calibration=calibration[detector.kind]),
            explanation=detector.explain(examples),
        )
        for detector in [one for one in members if one.kind in EXPLAINED] or members[:1]
    ]
    names = ["untouched"] * len(untouched) + list(trial.anomalies)
    draw_explanations(path, examples, names=names, accounts=accounts, rates=rates)


if __name__ == "__main__":
    main("detect", Params, run)
