"""Copies and near-copies of training records go out of the synthetic ones; what stays keeps its order.

In: the synthetic records and `train`. Out: `release.parquet`, and a report of counts and thresholds. Streams the
synthetic records, and measures the release again after the filter. Classes of few training records can be left out. With
the filter off, `train` is not read: what the release tells of it is what the generator tells, and nothing is measured.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from mintmark.data.images import ImageSet, read_images
from mintmark.data.records import BATCH_ROWS, Form, RecordWriter, iter_batches, num_records, payload_array, read_form
from mintmark.errors import BadInput
from mintmark.evidence import Measurement, Report, write_report
from mintmark.fidelity.copies import UNLABELLED, CopyFilter, calibrated_filter, near_copies
from mintmark.fidelity.poses import Poses
from mintmark.intervals import proportion
from mintmark.progress import track
from tasks.params import main

FATES = ("kept", "near_copy", "duplicate", "rare")


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `anonymise`.

    Attributes:
        seed: Unused by the filter, which draws nothing.
        threads: Threads of PyTorch.
        filter: "near_copies" takes them out; "none" reads nothing of the training records, and takes out repeats alone.
        quantile: Of the real-to-real distances; a synthetic record at or below it is a near-copy.
        neighbours: Which neighbour's distance a training record gives to the quantile.
        min_class_records: From how many training records on a class is calibrated by itself.
        shifts: A training record moved by up to so many pixels along each axis is a copy too.
        flip: Whether its mirror image is one.
        min_class_released: A class of fewer training records is left out of the release; 0 leaves none out.
    """

    seed: int
    threads: int
    filter: Literal["near_copies", "none"]
    quantile: float
    neighbours: int
    min_class_records: int
    shifts: int
    flip: bool
    min_class_released: int

    def __post_init__(self) -> None:
        for key, least in {"threads": 1, "neighbours": 1, "min_class_records": 2, "shifts": 0}.items():
            if getattr(self, key) < least:
                raise ValueError(f"{key} must be at least {least}, got {getattr(self, key)}")
        if not 0.0 <= self.quantile < 1.0:
            raise ValueError(f"quantile must lie in [0, 1), got {self.quantile}")
        if self.min_class_released < 0 or (self.filter == "none" and self.min_class_released):
            expected = "at least 0, and 0 with the filter none, which counts no training records"
            raise ValueError(f"min_class_released must be {expected}, got {self.min_class_released}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sieve:
    """What the training records say of who may stay: near-copies and classes that must not."""

    train: ImageSet
    copy_filter: CopyFilter
    rare: frozenset[str]

    def near(self, batch: pa.RecordBatch) -> list[bool]:
        return near_copies(payload_array(batch, "image"), self.train, self.copy_filter).tolist()


def run(params: Params, data_dir: Path) -> None:
    """Filter `generate/synthetic.parquet` into `anonymise/release.parquet`."""
    import torch

    torch.set_num_threads(params.threads)
    synthetic_path, folder = data_dir / "generate" / "synthetic.parquet", data_dir / "anonymise"
    form = read_form(synthetic_path)
    if form.kind != "image":
        raise BadInput(f"{synthetic_path}: expected records of kind 'image', got {form.kind!r}")
    train_path = data_dir / "split" / "train.parquet"
    sieve = _sieve(params, train_path, form, synthetic_path) if params.filter == "near_copies" else None
    counts = Counter()
    with RecordWriter(folder / "release.parquet", form) as writer:
        for batch in _kept(synthetic_path, sieve, counts):
            writer.write(batch)
        if writer.rows == 0:
            raise BadInput(f"{synthetic_path}: expected records beyond {params.quantile:g} of real distances, got none")
    left = None if sieve is None else sum(sum(sieve.near(one)) for one in iter_batches(folder / "release.parquet"))
    write_report(_report(params, sieve, counts, left), folder)


def _sieve(params: Params, path: Path, form: Form, synthetic_path: Path) -> _Sieve:
    """The training records at `path`, and what they say."""
    train = read_images(path)
    if form.shape != train.shape or form.classes != train.classes:
        expected = f"images of shape {train.shape} with classes {list(train.classes)}"
        raise BadInput(f"{synthetic_path}: expected {expected}, got {form.shape} with {list(form.classes)}")
    try:
        copy_filter = calibrated_filter(
            train,
            quantile=params.quantile,
            min_class_records=params.min_class_records,
            neighbours=params.neighbours,
            poses=Poses(shifts=params.shifts, flip=params.flip),
        )
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from error
    counts = np.bincount(train.codes[train.codes >= 0], minlength=len(train.classes)).tolist()
    rare = [one for one, count in zip(train.classes, counts, strict=True) if count < params.min_class_released]
    return _Sieve(train=train, copy_filter=copy_filter, rare=frozenset(rare))


def _kept(path: Path, sieve: _Sieve | None, counts: Counter[tuple[str, str]]) -> Iterator[pa.RecordBatch]:
    """Yield what stays of each batch; `counts` learns of (class, fate) of every record."""
    seen: set[bytes] = set()
    batches = -(-num_records(path) // BATCH_ROWS)
    rare = frozenset() if sieve is None else sieve.rare
    for batch in track(iter_batches(path), "anonymise", total=batches):
        images = payload_array(batch, "image")
        copies = [False] * len(images) if sieve is None else sieve.near(batch)
        labels = [UNLABELLED if label is None else label for label in batch.column("label").to_pylist()]
        fates = []
        for image, copy, label in zip(images, copies, labels, strict=True):
            digest = hashlib.sha256(image.tobytes()).digest()
            repeat = "duplicate" if digest in seen else "kept"
            fates.append("rare" if label in rare else "near_copy" if copy else repeat)
            seen.add(digest)
        counts.update(zip(labels, fates, strict=True))
        yield batch.filter(pa.array(np.array(fates) == "kept"))


def _report(params: Params, sieve: _Sieve | None, counts: Counter[tuple[str, str]], left: int | None) -> Report:
    fates = Counter()
    for (_, fate), number in counts.items():
        fates[fate] += number
    total = fates.total()
    removed = proportion(total - fates["kept"], total)
    measurements = (
        Measurement(
            name="removed_rate",
            value=removed.value,
            low=removed.low,
            high=removed.high,
            level=0.95,
            unit="rate",
            n=total,
            note="Share of the synthetic records taken out: near-copies of training records, repeats, rare classes.",
        ),
        *_of_train(sieve, left, kept=fates["kept"], total=total),
        *(
            Measurement(name=name, value=float(fates[fate]), unit="count", n=total)
            for name, fate in (
                ("near_copies_removed", "near_copy"),
                ("duplicates_removed", "duplicate"),
                ("rare_removed", "rare"),
                ("release_records", "kept"),
            )
        ),
    )
    facts = {"filter": params.filter, "reads_train": sieve is not None, "records": _by_class(counts)}
    if sieve is not None:
        facts |= {"distance": "Euclidean, pixels from 0 to 1", "quantile": params.quantile}
        facts |= {"neighbours": params.neighbours, "rare_classes": len(sieve.rare)}
        facts |= sieve.copy_filter.as_facts(sieve.train.classes)
    headline = ("removed_rate", *(("near_copies_left", "threshold") if sieve is not None else ()), "release_records")
    return Report(stage="anonymise", measurements=measurements, headline=headline, facts=facts)


def _of_train(sieve: _Sieve | None, left: int | None, *, kept: int, total: int) -> tuple[Measurement, ...]:
    """What only a look at the training records tells."""
    if sieve is None or left is None:
        return ()
    return (
        Measurement(
            name="near_copies_left",
            value=float(left),
            unit="count",
            n=kept,
            note="Near-copies of training records found when the release was measured again.",
        ),
        Measurement(
            name="threshold",
            value=min(sieve.copy_filter.thresholds.values()),
            unit="distance",
            n=total,
            note="No released record lies this near to any training record; the smallest of the classes' thresholds.",
        ),
    )


def _by_class(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """The fates of each class's records; classes that are left out as rare go by number only, under no name."""
    hidden = {label for label, fate in counts if fate == "rare"}
    by_class: dict[str, dict[str, int]] = {}
    for (label, fate), number in counts.items():
        if label not in hidden:
            by_class.setdefault(label, dict.fromkeys(FATES[:-1], 0))[fate] = number
    return by_class


if __name__ == "__main__":
    main("anonymise", Params, run)
