"""Does the synthetic data help? Train, validation, test and the release in; a verdict and the chosen classifier out.

Reads `split/train.parquet`, `split/validation.parquet`, `split/test.parquet` and `anonymise/release.parquet`. Writes
the classifier, the report, every network's accuracy (`arms.csv`) and one picture (`arms.png`). Unlabelled records are
counted and left out.
"""

import csv
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.kinds import Kind
from mintmark.classify.model import save_classifier
from mintmark.classify.private_training import PrivateRecipe
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet, read_images
from mintmark.devices import DeviceName, pick_device
from mintmark.evidence import Measurement, Report, write_report
from mintmark.files import whole_file
from mintmark.utility.arms import ARMS, Material, Mixture, check_alike
from mintmark.utility.choices import choose
from mintmark.utility.contest import Plan, Settled, hold, outcome, settle
from mintmark.utility.cost import contest_cost
from mintmark.utility.crew import Crew, train_all
from mintmark.utility.curve import LearningCurve, curve_fits
from mintmark.utility.findings import Findings, find
from mintmark.utility.labellers import Unlabelled
from mintmark.utility.picture import draw
from mintmark.utility.private_arm import PRIVATE, private_cost, private_measurements
from mintmark.utility.shipping import Shipped, kept_facts, ship
from mintmark.utility.stopping import Looks
from mintmark.utility.told import facts, measurements
from tasks.engine import engine
from tasks.params import main

HEADLINE = (
    "real_accuracy",
    "augmented_accuracy",
    "real_synthetic_accuracy",
    "augmented_synthetic_accuracy",
    "synthetic_accuracy",
    "trts_accuracy",
    "share_difference",
    "augment_difference",
    "smallest_detectable_difference",
    "equivalent_real_records",
    "equivalent_extra_records",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """The budget and recipe that every arm shares; see `mintmark.classify.training.Recipe`."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    width: int

    def __post_init__(self) -> None:
        self.recipe()  # which checks the values

    def recipe(self) -> Recipe:
        """As the library takes it; each arm adds its augmentation."""
        return Recipe(**asdict(self))


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The `evaluate` section of params.yaml.

    Attributes:
        seed: Of everything drawn in this stage.
        threads: CPU threads of each worker; with another number the last bits may differ.
        workers: Trainings at a time; changes no result.
        device: "auto" takes a GPU where there is one.
        deterministic: Whether a GPU must give the same bytes twice, at some cost; a CPU always does.
        margin: A difference in accuracy up to this counts as none.
        looks: Numbers of trainings of every arm and control at which the test is looked at; see `Looks`.
        num_tuning_seeds: Trainings of every candidate in the two grids.
        shippable: The arms and students of which one network is kept.
        learning_curve: Of the real records alone.
        classifier: What learns in every arm; see `mintmark.classify.kinds`.
        unlabelled: How students learn from unlabelled training records, where there are any.
        training: What every arm shares.
        augmentations: The grid of classical augmentations.
        flip: A left-right flip tried on top of the best of them, and kept only if it helps; 0 tries none.
        mixtures: The grid of ways to mix synthetic records in.
        privacy: How a differentially private classifier is trained, which is then the one kept; None for none.
    """

    seed: int
    threads: int
    workers: int
    device: DeviceName
    deterministic: bool
    margin: float
    looks: tuple[int, ...]
    num_tuning_seeds: int
    shippable: tuple[str, ...]
    learning_curve: LearningCurve
    classifier: Kind
    unlabelled: Unlabelled
    training: Training
    augmentations: tuple[Augmentation, ...]
    flip: float
    mixtures: tuple[Mixture, ...]
    privacy: PrivateRecipe | None

    def __post_init__(self) -> None:
        for key in ("threads", "workers", "num_tuning_seeds"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, got {getattr(self, key)}")
        for key in ("shippable", "augmentations", "mixtures"):
            if not getattr(self, key):
                raise ValueError(f"{key} must hold at least one entry, got none")
        known = {*ARMS, *self.unlabelled.names} if self.classifier.can_ship else {*ARMS}
        if unknown := sorted(set(self.shippable) - known):
            raise ValueError(f"shippable must name some of {sorted(known)} with this classifier, got {unknown}")
        if Looks(self.looks).seeds[0] < self.learning_curve.num_seeds:
            found = f"{self.learning_curve.num_seeds} and {self.looks[0]}"
            raise ValueError(f"learning_curve.num_seeds must not exceed the first of looks, got {found}")
        if not 0.0 <= self.flip <= 1.0:
            raise ValueError(f"flip must lie in 0..1, got {self.flip}")
        if not 0.0 <= self.margin < 1.0:
            raise ValueError(f"margin must lie in 0..1, got {self.margin}")


def run(params: Params, data_dir: Path) -> None:
    """Hold the contest and write what came of it."""
    torch.set_num_threads(params.threads)
    paths = {
        "train": data_dir / "split" / "train.parquet",
        "validation": data_dir / "split" / "validation.parquet",
        "test": data_dir / "split" / "test.parquet",
        "release": data_dir / "anonymise" / "release.parquet",
    }
    everything = {name: read_images(path) for name, path in paths.items()}
    labelled = {name: images.labelled() for name, images in everything.items()}
    check_alike({str(paths[name]): images for name, images in labelled.items()})
    material = Material(labelled["train"], labelled["validation"], labelled["release"])
    with engine(workers=params.workers):
        played = _play(params, material, train=everything["train"], test=labelled["test"])
    settled, shipped, findings, tuned = played.settled, played.shipped, played.findings, played.plan.choices.facts()
    report = Report(
        stage="evaluate",
        measurements=(
            *measurements(findings, num_test=len(labelled["test"]), num_release=len(material.release)),
            *_of_private_arm(params, played),
        ),
        headline=HEADLINE,
        verdict=findings.verdict,
        facts=facts(findings, settled)
        | {
            "tuning": tuned,
            "classifier": _told(shipped, findings, labelled["test"]),
            "records": _counts(everything, labelled),
        },
        cost=contest_cost(
            params.classifier,
            params.training.recipe(),
            material,
            settled.contest,
            num_tuning=len(tuned["tried"]) * params.num_tuning_seeds,
            num_curve=played.num_curve,
        )
        | params.unlabelled.cost(findings.students, num_seeds=settled.looks.seeds[settled.look])
        | (private_cost(params.privacy, num_networks=len(settled.outcomes[PRIVATE])) if params.privacy else {}),
    )
    _write(data_dir / "evaluate", report, played)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Played:
    """What came of the contest: its plan, the finalists, what ships, the findings, and the curve's number of networks."""

    plan: Plan
    settled: Settled
    shipped: Shipped
    findings: Findings
    num_curve: int


def _play(params: Params, material: Material, *, train: ImageSet, test: ImageSet) -> _Played:
    """Tune, train, choose what ships, and only then ask the test; `train` holds the unlabelled records too."""
    crew = _crew(params)
    of_tuning, of_contest, of_controls = np.random.SeedSequence(params.seed).spawn(3)
    recipe = params.training.recipe()
    choices = choose(
        material,
        augmentations=params.augmentations,
        flip=params.flip,
        mixtures=params.mixtures,
        recipe=recipe,
        seeds=of_tuning.generate_state(params.num_tuning_seeds).tolist(),
        crew=crew,
    )
    control_seed = int(of_controls.generate_state(1)[0])
    plan = Plan(
        material=material,
        choices=choices,
        recipe=recipe,
        control_seed=control_seed,
        crew=crew,
        school=params.unlabelled.school(train),
        private=params.privacy,
    )
    looks = Looks(params.looks)
    seeds: list[int] = of_contest.generate_state(looks.budget).tolist()
    contest = hold(plan, seeds=seeds[: looks.seeds[0]])
    shipped = ship(plan, contest, arms=params.shippable, seeds=seeds[: looks.seeds[0]])
    fits = curve_fits(
        material,
        fractions=params.learning_curve.fractions,
        seeds=seeds[: params.learning_curve.num_seeds],
        recipe=recipe,
    )
    on_curve = iter(train_all([fit for same in fits.values() for fit in same], crew=crew, label="learning-curve"))
    curve = {size: outcome([next(on_curve) for _ in same], test) for size, same in fits.items()}
    settled = settle(contest, plan, test, seeds=seeds, looks=looks, margin=params.margin)
    findings = find(
        settled,
        curve,
        on_release=outcome(settled.contest.networks["real"], material.release),
        test=test,
        num_train=len(material.train),
        margin=params.margin,
        kept=shipped.arm,
        students=plan.students,
    )
    num_curve = sum(len(same) for same in fits.values())
    return _Played(plan=plan, settled=settled, shipped=shipped, findings=findings, num_curve=num_curve)


def _crew(params: Params) -> Crew:
    device = pick_device(params.device)
    if device.type == "cuda" and params.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # workers inherit it
    return Crew(
        workers=params.workers,
        threads=params.threads,
        device=device,
        deterministic=params.deterministic,
        kind=params.classifier,
    )


def _told(shipped: Shipped, findings: Findings, test: ImageSet) -> dict[str, Any]:
    """Where the kept network came from, and whether its arm helps; its test accuracy was no part of the choice."""
    return {
        "arm": shipped.arm,
        "verdict": findings.kept_verdict,
        "model": type(shipped.network).__name__,
        "validation_accuracy": shipped.score.accuracy,
        "test_accuracy": float(outcome([shipped.network], test).mean()),
    }


def _of_private_arm(params: Params, played: _Played) -> tuple[Measurement, ...]:
    if params.privacy is None:
        return ()
    num_records, settled = len(played.plan.material.train), played.settled
    level = settled.looks.level(settled.look)
    return private_measurements(settled.outcomes[PRIVATE], params.privacy, num_records=num_records, level=level)


def _counts(everything: Mapping[str, ImageSet], labelled: Mapping[str, ImageSet]) -> dict[str, dict[str, int]]:
    return {
        name: {"labelled": len(labelled[name]), "unlabelled": len(images) - len(labelled[name])}
        for name, images in everything.items()
    }


def _write(out_dir: Path, report: Report, played: _Played) -> None:
    shipped, settled, findings = played.shipped, played.settled, played.findings
    kept = kept_facts(shipped, played.plan)
    save_classifier(out_dir / "classifier.safetensors", shipped.network, classes=shipped.classes, facts=kept)
    with whole_file(out_dir / "arms.csv") as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["arm", "seed", "accuracy"])
        for arm in [*ARMS, *findings.students]:
            rows.writerows([arm, seed, f"{right.mean():.6f}"] for seed, right in enumerate(settled.outcomes[arm]))
    with whole_file(out_dir / "arms.png") as partial:
        draw(partial, findings, settled.contest)
    write_report(report, out_dir)


if __name__ == "__main__":
    main("evaluate", Params, run)
