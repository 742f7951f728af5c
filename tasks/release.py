"""Release: every stage's report in; the verdict, the bundle and the page for people out.

A refused release is a result: it exits 0. Only this stage reads all reports, and only it decides what may leave.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from mintmark.classify.model import load_classifier
from mintmark.evidence import Measurement, Report, read_report
from mintmark.files import whole_file, whole_folder, write_json
from mintmark.release import page, published
from mintmark.release.bundle import Classifier, Contents, write_bundle
from mintmark.release.gate import Policy, judge
from mintmark.release.report import verdict_table
from mintmark.release.rules import parse_rule
from mintmark.release.search import RealRecords, count_copies, gather, search
from tasks.params import main

STAGES = ("validate", "split", "train_gan", "generate", "anonymise", "evaluate", "audit", "cluster", "detect")
PARTS = ("train", "validation", "test", "reference")
LOG_WIDTH = 120  # columns of the closing table where no terminal says how wide it is
PICTURES = (
    ("train_gan/samples.png", "What the generator draws.", "Synthetic records, a row a class."),
    ("evaluate/arms.png", "Does it help?", "How well a classifier does on real records, by what taught it."),
    ("audit/roc.png", "Does it leak?", "The further a curve lies above the dotted diagonal, the better that attack."),
    ("cluster/coverage.png", "What is covered.", "How much of each region of the real data the synthetic data reach."),
    (
        "cluster/prototypes.png",
        "The kinds of record.",
        "One prototype a region of the real data, found without labels.",
    ),
    ("detect/explain.png", "What looks strange.", "Records that resemble none of the training records, and where."),
    (
        "detect/reject.png",
        "What declining gains.",
        "The fewer records are answered, the more of the answers are right.",
    ),
    (
        "detect/tsne.png",
        "What the discriminator sees.",
        "Records that it finds alike lie side by side; distances mean nothing.",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """Section `release` of params.yaml; the keys are explained there."""

    threads: int
    title: str
    licence: str
    purpose: Literal["share", "augment"]
    sets: tuple[tuple[str, ...], ...]
    min_records: int
    decimals: int
    rules: tuple[dict[str, Any], ...]

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")
        if self.min_records < 1:
            raise ValueError(f"min_records must be at least 1, got {self.min_records}")
        if not 1 <= self.decimals <= 6:
            raise ValueError(f"decimals must be 1 to 6, got {self.decimals}")
        policy = self.policy()
        unknown = sorted({rule.stage for rule in policy.rules} - {*STAGES, "release"})
        if unknown:
            raise ValueError(f"rules must name stages among {[*STAGES, 'release']}, got {unknown}")

    def policy(self) -> Policy:
        """The rules and sets, checked."""
        return Policy(purpose=self.purpose, rules=tuple(parse_rule(rule) for rule in self.rules), sets=self.sets)


def run(params: Params, data_dir: Path) -> None:
    """Judge the reports, build the bundle that the verdict allows, and write the page."""
    torch.set_num_threads(params.threads)
    folder = data_dir / "release"
    real = gather([data_dir / "split" / f"{part}.parquet" for part in PARTS])
    reports = {stage: read_report(data_dir / stage) for stage in STAGES}
    reports["release"] = _own_report(data_dir, real)
    verdict = judge(params.policy(), reports).as_json()
    with whole_folder(folder / "bundle") as partial:
        write_bundle(partial, _contents(params, data_dir, verdict, reports))
        found = search(partial, real)
        if found:  # the rules should have caught it; a bundle that holds a real record is never put down
            raise RuntimeError(f"the bundle must hold no real record, found {len(found)}: {found[0]}")
    write_json(folder / "verdict.json", verdict)
    with whole_file(folder / "index.html") as partial:
        partial.write_text(_page(params, data_dir, verdict, reports), encoding="utf-8")
    Console(width=None if sys.stdout.isatty() else LOG_WIDTH).print(verdict_table(verdict))


def _own_report(data_dir: Path, real: RealRecords) -> Report:
    """What this stage measures itself: real records among the synthetic ones."""
    return Report(
        stage="release",
        measurements=(
            Measurement(
                name="real_records_found",
                value=float(count_copies(data_dir / "anonymise" / "release.parquet", real)),
                unit="count",
                n=len(real),
                note="Each synthetic record was compared, pixel by pixel, with every real one.",
            ),
        ),
    )


def _contents(params: Params, data_dir: Path, verdict: Mapping[str, Any], reports: Mapping[str, Report]) -> Contents:
    loaded = load_classifier(data_dir / "evaluate" / "classifier.safetensors")
    return Contents(
        title=params.title,
        licence=params.licence,
        verdict=published.publish_verdict(verdict, decimals=params.decimals),
        evidence=published.publish(reports, min_records=params.min_records, decimals=params.decimals),
        samples=data_dir / "anonymise" / "release.parquet",
        classifier=Classifier(network=loaded.network, shape=loaded.shape, classes=loaded.classes),
        guard=data_dir / "detect" / "detector.safetensors",
        weights={name: data_dir / "train_gan" / f"{name}.safetensors" for name in ("generator", "discriminator")},
    )


def _page(params: Params, data_dir: Path, verdict: Mapping[str, Any], reports: Mapping[str, Report]) -> str:
    shown = [(data_dir / name, title, caption) for name, title, caption in PICTURES]
    return page.render(
        title=params.title,
        verdict=verdict,
        evidence=page.everything(reports),
        pictures=[
            page.Picture(title=title, caption=caption, png=path.read_bytes())
            for path, title, caption in shown
            if path.is_file()
        ],
        inside=True,
    )


if __name__ == "__main__":
    main("release", Params, run)
