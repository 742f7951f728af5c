"""Does the synthetic data help? Train, validation, test and the release in; a verdict and the chosen classifier out.

Reads `split/train.parquet`, `split/validation.parquet`, `split/test.parquet` and `anonymise/release.parquet`. Writes
the classifier, the report, every network's accuracy (`arms.csv`) and one picture (`arms.png`). Unlabelled records are
counted and left out.
"""

import csv
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mintmark.classify.augmentation import Augmentation
from mintmark.classify.cost import step_flops
from mintmark.classify.model import save_classifier
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet, read_images
from mintmark.devices import DeviceName, pick_device
from mintmark.evidence import Report, write_report
from mintmark.files import whole_file
from mintmark.utility.arms import ARMS, AUGMENTED_ARMS, MIXED_ARMS, Arm, Material, Mixture, check_alike
from mintmark.utility.choices import choose
from mintmark.utility.comparison import Outcome
from mintmark.utility.contest import Plan, Settled, Shipped, hold, outcome, settle, ship
from mintmark.utility.crew import Crew, train_all
from mintmark.utility.curve import curve_fits
from mintmark.utility.findings import Findings, find
from mintmark.utility.picture import draw
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
        return Recipe(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            width=self.width,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningCurve:
    """How the real records' learning curve is measured.

    Attributes:
        fractions: Shares of the training records, rising, above 0 and below 1; all of them, and all with the validation
            records, are measured anyway.
        num_seeds: Trainings of each; at least 2.
    """

    fractions: tuple[float, ...]
    num_seeds: int

    def __post_init__(self) -> None:
        if self.num_seeds < 2:
            raise ValueError(f"num_seeds must be at least 2, got {self.num_seeds}")
        ends = (0.0, *self.fractions, 1.0)
        if any(one >= other for one, other in pairwise(ends)):
            raise ValueError(f"fractions must rise between 0 and 1, got {list(self.fractions)}")


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
        shippable: The arms of which one network is kept.
        learning_curve: Of the real records alone.
        training: What every arm shares.
        augmentations: The grid of classical augmentations.
        mixtures: The grid of ways to mix synthetic records in.
    """

    seed: int
    threads: int
    workers: int
    device: DeviceName
    deterministic: bool
    margin: float
    looks: tuple[int, ...]
    num_tuning_seeds: int
    shippable: tuple[Arm, ...]
    learning_curve: LearningCurve
    training: Training
    augmentations: tuple[Augmentation, ...]
    mixtures: tuple[Mixture, ...]

    def __post_init__(self) -> None:
        for key in ("threads", "workers", "num_tuning_seeds"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, got {getattr(self, key)}")
        for key in ("shippable", "augmentations", "mixtures"):
            if not getattr(self, key):
                raise ValueError(f"{key} must hold at least one entry, got none")
        if Looks(self.looks).seeds[0] < self.learning_curve.num_seeds:
            found = f"{self.learning_curve.num_seeds} and {self.looks[0]}"
            raise ValueError(f"learning_curve.num_seeds must not exceed the first of looks, got {found}")
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
        played = _play(params, material, labelled["test"])
    settled, shipped, findings = played.settled, played.shipped, played.findings
    report = Report(
        stage="evaluate",
        measurements=measurements(findings, num_test=len(labelled["test"]), num_release=len(material.release)),
        headline=HEADLINE,
        verdict=findings.verdict,
        facts=facts(findings, settled)
        | {
            "tuning": played.tuned,
            "classifier": _shipped_facts(shipped, settled.outcomes),
            "records": _counts(everything, labelled),
        },
        cost=_cost(params, material, settled, num_curve=played.num_curve),
    )
    recipe = asdict(params.training.recipe())  # plain
    if shipped.arm in AUGMENTED_ARMS:
        recipe["augmentation"] = played.tuned["augmentation"]
    _write(data_dir / "evaluate", report, findings, settled, shipped=shipped, recipe=recipe)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Played:
    """What came of the contest: the choices as facts, the finalists, the findings, and the curve's number of networks."""

    tuned: dict[str, Any]
    settled: Settled
    shipped: Shipped
    findings: Findings
    num_curve: int


def _play(params: Params, material: Material, test: ImageSet) -> _Played:
    """Tune, train, choose what ships, and only then ask the test."""
    crew = _crew(params)
    of_tuning, of_contest, of_controls = np.random.SeedSequence(params.seed).spawn(3)
    recipe = params.training.recipe()
    choices = choose(
        material,
        augmentations=params.augmentations,
        mixtures=params.mixtures,
        recipe=recipe,
        seeds=of_tuning.generate_state(params.num_tuning_seeds).tolist(),
        crew=crew,
    )
    control_seed = int(of_controls.generate_state(1)[0])
    plan = Plan(material=material, choices=choices, recipe=recipe, control_seed=control_seed, crew=crew)
    looks = Looks(params.looks)
    seeds: list[int] = of_contest.generate_state(looks.budget).tolist()
    contest = hold(plan, seeds=seeds[: looks.seeds[0]])
    shipped = ship(contest, material.validation, arms=params.shippable)
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
    )
    num_curve = sum(len(same) for same in fits.values())
    return _Played(tuned=choices.facts(), settled=settled, shipped=shipped, findings=findings, num_curve=num_curve)


def _crew(params: Params) -> Crew:
    device = pick_device(params.device)
    if device.type == "cuda" and params.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # workers inherit it
    return Crew(workers=params.workers, threads=params.threads, device=device, deterministic=params.deterministic)


def _shipped_facts(shipped: Shipped, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """Where the kept network came from; its test accuracy was no part of the choice."""
    return {
        "arm": shipped.arm,
        "validation_accuracy": shipped.score.accuracy,
        "test_accuracy": float(outcomes[shipped.arm][shipped.place].mean()),
    }


def _counts(everything: Mapping[str, ImageSet], labelled: Mapping[str, ImageSet]) -> dict[str, dict[str, int]]:
    return {
        name: {"labelled": len(labelled[name]), "unlabelled": len(images) - len(labelled[name])}
        for name, images in everything.items()
    }


def _cost(params: Params, material: Material, settled: Settled, *, num_curve: int) -> dict[str, float]:
    """Every network took the same number of steps of the same batch size."""
    grids = len(params.augmentations) + len(MIXED_ARMS) * len(params.mixtures)
    counts = {
        "tuning": grids * params.num_tuning_seeds,
        "contest": sum(len(networks) for networks in settled.contest.networks.values()),
        "learning_curve": num_curve,
    }
    flops = step_flops(
        material.train.shape,
        num_classes=len(material.train.classes),
        width=params.training.width,
        batch_size=params.training.batch_size,
    )
    total = sum(counts.values())
    steps = params.training.steps
    return {
        "classifiers": float(total),
        **{f"classifiers_{name}": float(count) for name, count in counts.items()},
        "gradient_steps": float(total * steps),
        "gradient_steps_a_classifier": float(steps),
        "flops": float(total * steps * flops),
        "flops_a_classifier": float(steps * flops),
    }


def _write(
    out_dir: Path,
    report: Report,
    findings: Findings,
    settled: Settled,
    *,
    shipped: Shipped,
    recipe: Mapping[str, Any],
) -> None:
    # the audit's shadow classifiers are trained by this recipe, and must be told it by the file that they are to match
    kept = {"arm": shipped.arm, "validation_accuracy": shipped.score.accuracy, "recipe": dict(recipe)}
    save_classifier(out_dir / "classifier.safetensors", shipped.network, classes=shipped.classes, facts=kept)
    with whole_file(out_dir / "arms.csv") as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["arm", "seed", "accuracy"])
        for arm in ARMS:
            rows.writerows([arm, seed, f"{right.mean():.6f}"] for seed, right in enumerate(settled.outcomes[arm]))
    with whole_file(out_dir / "arms.png") as partial:
        draw(partial, findings, settled.contest)
    write_report(report, out_dir)


if __name__ == "__main__":
    main("evaluate", Params, run)
