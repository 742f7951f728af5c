"""Copies and near-copies of training records go out of the synthetic ones; what stays keeps its order.

In: the synthetic records and `train`. Out: `release.parquet`, and a report of counts and thresholds. Streams the
synthetic records, and measures the release again after the filter.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from mintmark.data.images import ImageSet, read_images
from mintmark.data.records import BATCH_ROWS, Form, RecordWriter, iter_batches, num_records, payload_array, read_form
from mintmark.errors import BadInput
from mintmark.evidence import Measurement, Report, write_report
from mintmark.fidelity.copies import copy_thresholds, near_copies
from mintmark.intervals import proportion
from mintmark.progress import track
from tasks.params import main

UNLABELLED = "unlabelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `anonymise`.

    Attributes:
        seed: Unused by the filter, which draws nothing.
        threads: Threads of PyTorch.
        quantile: Of the real-to-real distances; a synthetic record at or below it is a near-copy.
        min_class_records: From how many training records on a class is calibrated by itself.
    """

    seed: int
    threads: int
    quantile: float
    min_class_records: int

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")
        if not 0.0 <= self.quantile < 1.0:
            raise ValueError(f"quantile must lie in [0, 1), got {self.quantile}")
        if self.min_class_records < 2:
            raise ValueError(f"min_class_records must be at least 2, got {self.min_class_records}")


def run(params: Params, data_dir: Path) -> None:
    """Filter `generate/synthetic.parquet` into `anonymise/release.parquet`."""
    import torch

    torch.set_num_threads(params.threads)
    train_path, synthetic_path = data_dir / "split" / "train.parquet", data_dir / "generate" / "synthetic.parquet"
    folder = data_dir / "anonymise"
    train, form = read_images(train_path), read_form(synthetic_path)
    _check(form, train, synthetic_path)
    try:
        thresholds = copy_thresholds(train, quantile=params.quantile, min_class_records=params.min_class_records)
    except ValueError as error:
        raise BadInput(f"{train_path}: {error}") from error
    counts = Counter()
    with RecordWriter(folder / "release.parquet", form) as writer:
        for batch in _kept(synthetic_path, train, thresholds, counts):
            writer.write(batch)
        if writer.rows == 0:
            raise BadInput(f"{synthetic_path}: expected records beyond {params.quantile:g} of real distances, got none")
    left = sum(
        int(near_copies(payload_array(batch, "image"), train, thresholds=thresholds).sum())
        for batch in iter_batches(folder / "release.parquet")
    )
    write_report(_report(params, thresholds, counts, left, form.classes), folder)


def _check(form: Form, train: ImageSet, path: Path) -> None:
    if form.kind != "image" or form.shape != train.shape or form.classes != train.classes:
        expected = f"images of shape {train.shape} with classes {list(train.classes)}"
        raise BadInput(f"{path}: expected {expected}, got {form.kind} of {form.shape} with {list(form.classes)}")


def _kept(
    path: Path, train: ImageSet, thresholds: dict[int, float], counts: Counter[tuple[str, str]]
) -> Iterator[pa.RecordBatch]:
    """Yield what stays of each batch; `counts` learns of (class, fate) of every record."""
    seen: set[bytes] = set()
    batches = -(-num_records(path) // BATCH_ROWS)
    for batch in track(iter_batches(path), "anonymise", total=batches):
        images = payload_array(batch, "image")
        copies = near_copies(images, train, thresholds=thresholds)
        fates = []
        for image, copy in zip(images, copies.tolist(), strict=True):
            digest = hashlib.sha256(image.tobytes()).digest()
            fates.append("near_copy" if copy else "duplicate" if digest in seen else "kept")
            seen.add(digest)
        labels = [UNLABELLED if label is None else label for label in batch.column("label").to_pylist()]
        counts.update(zip(labels, fates, strict=True))
        yield batch.filter(pa.array(np.array(fates) == "kept"))


def _report(
    params: Params, thresholds: dict[int, float], counts: Counter[tuple[str, str]], left: int, classes: tuple[str, ...]
) -> Report:
    fates = Counter()
    by_class: dict[str, dict[str, int]] = {}
    for (label, fate), number in counts.items():
        fates[fate] += number
        by_class.setdefault(label, dict.fromkeys(("kept", "near_copy", "duplicate"), 0))[fate] = number
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
            note="Share of the synthetic records taken out as near-copies of training records or repeats.",
        ),
        Measurement(
            name="near_copies_left",
            value=float(left),
            unit="count",
            n=fates["kept"],
            note="Near-copies of training records found when the release was measured again.",
        ),
        Measurement(
            name="threshold",
            value=min(thresholds.values()),
            unit="distance",
            n=total,
            note="No released record lies this near to any training record; the smallest of the classes' thresholds.",
        ),
        *(
            Measurement(name=name, value=float(fates[fate]), unit="count", n=total)
            for name, fate in (
                ("near_copies_removed", "near_copy"),
                ("duplicates_removed", "duplicate"),
                ("release_records", "kept"),
            )
        ),
    )
    names = {code: UNLABELLED if code < 0 else classes[code] for code in thresholds}
    facts = {
        "distance": "Euclidean, pixels from 0 to 1",
        "quantile": params.quantile,
        "thresholds": {names[code]: threshold for code, threshold in thresholds.items()},
        "records": by_class,
    }
    headline = ("removed_rate", "near_copies_left", "threshold", "release_records")
    return Report(stage="anonymise", measurements=measurements, headline=headline, facts=facts)


if __name__ == "__main__":
    main("anonymise", Params, run)
