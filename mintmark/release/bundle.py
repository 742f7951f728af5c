"""The bundle: what the verdict allows, and nothing more.

Released: data, models, card, metadata and evidence. Refused: evidence alone. Built from a published verdict and published
evidence, so nothing else can get in. Shows no picture of a real record and ships no prototype.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from mintmark.files import write_json
from mintmark.release import card, charts, croissant, page, portable
from mintmark.release.dataset import Dataset, write_dataset
from mintmark.release.manifest import sha256, write_manifest
from mintmark.release.pictures import encode_png, sheet
from mintmark.release.verdict import VERDICT_FILE

SHEET_FILE = "samples.png"


@dataclass(frozen=True, kw_only=True, slots=True)
class Classifier:
    """A classifier to ship: takes (n, channels, height, width) in [-1, 1]; `shape` is (height, width, channels)."""

    network: nn.Module
    shape: tuple[int, int, int]
    classes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a bundle may be built from; only what the verdict's set names is used.

    Attributes:
        title: The data set's name for people.
        licence: Its licence.
        verdict: The published verdict.
        evidence: The published aggregates.
        samples: The record file of synthetic images.
        classifier: The classifier.
        guard: The file of a detector that was fitted on the samples alone; it goes wherever they go, and nowhere else.
        weights: Weight files of networks, by artefact.
    """

    title: str
    licence: str
    verdict: Mapping[str, Any]
    evidence: Mapping[str, Any]
    samples: Path
    classifier: Classifier
    guard: Path
    weights: Mapping[str, Path]


def write_bundle(folder: Path, contents: Contents) -> None:
    """Fill an empty folder with a bundle and its manifest.

    Raises:
        BadInput: the synthetic records are not images that PNG can hold.
        RuntimeError: the exported classifier does not agree with the original.
    """
    released = contents.verdict["set"] or []
    dataset = _write_samples(folder, contents) if "samples" in released else None
    if "classifier" in released:
        path = folder / card.MODEL_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        shipped = contents.classifier
        portable.export_onnx(shipped.network, path, shape=shipped.shape, classes=shipped.classes)
    for artefact in sorted(set(released) & set(contents.weights)):
        _copy(contents.weights[artefact], folder / "model" / f"{artefact}.safetensors")
    if released:
        text = card.write_card(
            title=contents.title,
            licence=contents.licence,
            verdict=contents.verdict,
            dataset=dataset,
            sheet=SHEET_FILE if (folder / SHEET_FILE).exists() else None,
        )
        (folder / "README.md").write_text(text, encoding="utf-8")
    _write_evidence(folder, contents)
    write_manifest(folder)


def _write_samples(folder: Path, contents: Contents) -> Dataset:
    target = folder / card.DATA_FILE
    target.parent.mkdir(parents=True)
    _copy(contents.guard, folder / card.GUARD_FILE)
    dataset = write_dataset(contents.samples, target)
    facts = croissant.describe(dataset, title=contents.title, licence=contents.licence, data_sha256=sha256(target))
    write_json(folder / croissant.FILE_NAME, facts)
    if dataset.first_per_class:
        picture = encode_png(sheet(dataset.first, columns=dataset.first_per_class))
        (folder / SHEET_FILE).write_bytes(picture)
    return dataset


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write_evidence(folder: Path, contents: Contents) -> None:
    verdict_path = folder / VERDICT_FILE
    verdict_path.parent.mkdir(parents=True)
    write_json(verdict_path, contents.verdict)
    write_json(verdict_path.with_name("measurements.json"), contents.evidence)
    pictures = []
    for name, chart, alt in (
        ("accuracy", charts.accuracy_chart(contents.evidence), "Accuracy of a classifier, by what taught it."),
        ("attacks", charts.attack_chart(contents.evidence), "What each attack achieved, by threat model."),
    ):
        if chart is not None:
            verdict_path.with_name(f"{name}.png").write_bytes(chart)
            pictures.append(page.Picture(title=alt, caption="Dots are measurements, lines their intervals.", png=chart))
    text = page.render(
        title=contents.title, verdict=contents.verdict, evidence=contents.evidence, pictures=pictures, inside=False
    )
    verdict_path.with_name("report.html").write_text(text, encoding="utf-8")
