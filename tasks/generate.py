"""Mint synthetic records: the generator's weights in, any number of labelled images out, streamed.

Reads `train_gan/generator.safetensors` alone, or the records made elsewhere that this names; writes `generate/synthetic.parquet` and the report. Memory is bounded by
a batch of images, beside eight bytes a record for its class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from mintmark.data.elsewhere import open_elsewhere, records_of
from mintmark.data.images import ImageSet, image_batch, synthetic_ids, to_bytes
from mintmark.data.records import Form, RecordWriter
from mintmark.devices import DeviceName, pick_device
from mintmark.errors import BadInput
from mintmark.evidence import Measurement, Report, write_report
from mintmark.gan.cost import image_flops
from mintmark.gan.elsewhere import Elsewhere, read_elsewhere
from mintmark.gan.model import load_generator
from mintmark.gan.sampling import sample
from mintmark.progress import track
from tasks.params import main


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The `generate` section of params.yaml.

    Attributes:
        seed: Where noise and the order of classes come from.
        threads: CPU threads.
        device: "auto" takes a GPU where there is one.
        rows: How many records.
        classes: Share of each class by name, in any unit; classes not named get none. None for equal shares of all.
        batch_size: Images in memory at a time.
    """

    seed: int
    threads: int
    device: DeviceName
    rows: int
    classes: Mapping[str, float] | None
    batch_size: int

    def __post_init__(self) -> None:
        for key in ("threads", "rows", "batch_size"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, got {getattr(self, key)}")
        if self.classes is not None and (min(self.classes.values(), default=0) < 0 or not any(self.classes.values())):
            raise ValueError(f"classes must be shares of at least 0 and not all 0, got {dict(self.classes)}")


def run(params: Params, data_dir: Path) -> None:
    """Generate the records, or take over those made elsewhere, and report how many."""
    torch.set_num_threads(params.threads)
    path = data_dir / "train_gan" / "generator.safetensors"
    made = read_elsewhere(path)
    if made is not None:
        _take_over(made, data_dir / "generate")
        return
    loaded = load_generator(path)
    network = loaded.network.to(pick_device(params.device))
    counts = class_counts(params.rows, classes=loaded.classes, shares=params.classes)
    codes = np.random.default_rng(params.seed).permutation(np.repeat(np.arange(len(counts)), counts))
    form = Form(kind="image", classes=loaded.classes, shape=network.shape)
    out_dir = data_dir / "generate"
    with RecordWriter(out_dir / "synthetic.parquet", form) as writer:
        batches = sample(network, codes, seed=params.seed, batch_size=params.batch_size)
        for batch in track(batches, "generate-batches", total=-(-params.rows // params.batch_size)):
            images = to_bytes(batch)
            ids = synthetic_ids(images, first=writer.rows)
            part = codes[writer.rows : writer.rows + len(images)]
            writer.write(image_batch(ImageSet(ids=ids, codes=part, images=images, classes=loaded.classes), form))
    write_report(_report(counts, loaded.classes, flops=params.rows * image_flops(network)), out_dir)


def _take_over(made: Elsewhere, out_dir: Path) -> None:
    """All records made elsewhere, in our own form; `rows` and `classes` have no say in them."""
    path, form = Path(made.source), Form(kind="image", classes=made.classes, shape=made.shape)
    source = open_elsewhere(path, form)
    counts = np.zeros(len(made.classes), np.int64)
    with RecordWriter(out_dir / "synthetic.parquet", form) as writer:
        for batch in track(records_of(source, form, path=path), "generate-batches", total=source.num_batches):
            counts += np.bincount(batch.codes, minlength=len(counts))
            writer.write(image_batch(batch, form))
    write_report(_report(counts, made.classes, flops=0), out_dir)


def class_counts(
    rows: int, *, classes: tuple[str, ...], shares: Mapping[str, float] | None
) -> Int64[np.ndarray, " classes"]:
    """How many records of each class: whole numbers nearest to the shares that sum to `rows` (largest remainders).

    Raises:
        BadInput: a share names no class.
    """
    unknown = sorted(set(shares or ()) - set(classes))
    if unknown:
        raise BadInput(f"classes: expected names among {list(classes)}, got {unknown}")
    weights = np.array([1.0 if shares is None else shares.get(name, 0.0) for name in classes])
    exact = rows * weights / weights.sum()
    counts = np.floor(exact).astype(np.int64)
    first = np.argsort(counts - exact, kind="stable")[: rows - counts.sum()]
    counts[first] += 1
    return counts


def _report(counts: Int64[np.ndarray, " classes"], classes: tuple[str, ...], *, flops: int) -> Report:
    num_records = int(counts.sum())
    return Report(
        stage="generate",
        measurements=(
            Measurement(
                name="synthetic_records",
                value=float(num_records),
                unit="count",
                n=num_records,
                note="Generated records, before copies are taken out.",
            ),
        ),
        headline=("synthetic_records",),
        facts={"classes": dict(zip(classes, counts.tolist(), strict=True))},
        cost={"images": float(num_records), "flops": float(flops)},
    )


if __name__ == "__main__":
    main("generate", Params, run)
