"""Toss a coin for each record: data/validate/accepted.parquet -> train, validation, test, reference, and the coins.

Stratified by label; equal payloads, near images and records of one group stay together. A record without a label can
neither be tested nor validated on, yet some go to `test`: whether the generator betrays the unlabelled records that it
trained on can only be measured against unlabelled records that it did not. Payloads pass in batches; the keys take about
350 bytes a record at their peak. Only a `near_distance` above 0 holds the images themselves.
"""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from mintmark.data.equality import equal_sets, payload_digests
from mintmark.data.records import Form, RecordWriter, batch_rows, iter_batches, num_records, payload_array, read_form
from mintmark.data.splits import PARTS, UNLABELLED, Membership, beyond_kept, draw, units_of
from mintmark.errors import BadInput
from mintmark.evidence import Measurement, Report, write_report
from mintmark.files import whole_file
from mintmark.progress import track
from tasks.params import main

pc: Any = compute  # Arrow makes these functions as it loads: no type checker sees them
FRACTION_TOLERANCE = 1e-9
CLASSES_NAMED = 5  # in a refusal
NOTES = (
    "Members: models learn from these.",
    "Choices among models are made on these.",
    "Non-members: scores and attacks are measured on these.",
    "The attacker's own data: no released model learns from these.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fractions:
    """Each part's share of the records; they sum to 1."""

    train: float
    validation: float
    test: float
    reference: float

    def __post_init__(self) -> None:
        for part, share in asdict(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"{part} must lie in 0..1, got {share}")
        total = sum(asdict(self).values())
        if abs(total - 1) > FRACTION_TOLERANCE:
            raise ValueError(f"train, validation, test and reference must sum to 1, got {total:g}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """A number of records for each part."""

    train: int
    validation: int
    test: int
    reference: int

    def __post_init__(self) -> None:
        for part, count in asdict(self).items():
            if count < 0:
                raise ValueError(f"{part} must be at least 0, got {count}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The `split` section.

    Attributes:
        seed: Where the coins come from. Whoever knows it and the records' order knows the members.
        threads: Arrow's and the distances' threads.
        fractions: Each part's share of the labelled records of every class.
        unlabelled_fractions: Each part's share of the records without a label.
        min_class_records: Fewer records of any class in a part refuse the split.
        train_labels_per_class: Training records of a class that keep their label, to see what few labels would give; the
            others go on unlabelled, in every file. None keeps all.
        near_distance: Images whose pixels differ by no more than this (root mean square, in levels of 0 to 255) stay
            together; 0 leaves it at equal payloads.
    """

    seed: int
    threads: int
    fractions: Fractions
    unlabelled_fractions: Fractions
    min_class_records: Counts
    train_labels_per_class: int | None
    near_distance: float

    def __post_init__(self) -> None:
        if self.train_labels_per_class is not None and self.train_labels_per_class < 1:
            raise ValueError(f"train_labels_per_class must be at least 1 or null, got {self.train_labels_per_class}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")
        if self.near_distance < 0:
            raise ValueError(f"near_distance must be at least 0, got {self.near_distance}")


def run(params: Params, data_dir: Path) -> None:
    """Split `validate/accepted.parquet` into `split/`.

    Raises:
        BadInput: a class is too small for its parts, or the records' kind cannot be searched for near copies.
    """
    pa.set_cpu_count(params.threads)
    source, folder = data_dir / "validate" / "accepted.parquet", data_dir / "split"
    form = read_form(source)
    keys = pq.read_table(source, columns=["id", "label", *(["group"] if form.grouped else [])])
    codes = form.codes(keys.column("label"))
    units = units_of(len(codes), together=_together(source, form, keys, params))
    rng = np.random.default_rng(params.seed)
    membership = draw(
        codes,
        units,
        fractions=asdict(params.fractions),
        unlabelled_fractions=asdict(params.unlabelled_fractions),
        rng=rng,
    )
    check_classes(codes, membership, form.classes, least=asdict(params.min_class_records), source=source)
    hidden = np.zeros(len(codes), bool)
    if params.train_labels_per_class is not None:
        members = membership.parts == PARTS.index("train")
        hidden = beyond_kept(codes, members, keep=params.train_labels_per_class, rng=rng)
        codes = np.where(hidden, UNLABELLED, codes)
    folder.mkdir(parents=True, exist_ok=True)
    _write_parts(source, folder, form, membership, hidden)
    _write_coins(folder / "coins.parquet", _without_labels(keys, hidden), membership)
    counts = _counts(codes, membership, num_classes=len(form.classes))
    write_report(_report(counts, form, membership, params), folder)


def check_classes(
    codes: np.ndarray, membership: Membership, classes: tuple[str, ...], *, least: dict[str, int], source: Path
) -> None:
    """Refuse where a class has too few records for a part.

    Args:
        codes: Class codes; -1 for an unlabelled record.
        membership: Where the records would go.
        classes: Names of the classes.
        least: The least number of records of each class, by part.
        source: The file that the records come from, for the message.

    Raises:
        BadInput: names the classes, how many records they have, and what the parts need and would get.
    """
    counts, refused = _counts(codes, membership, num_classes=len(classes)), []
    for code, name in enumerate(classes):
        few = [
            f"{part} needs {least[part]}, gets {counts[code, k]}"
            for k, part in enumerate(PARTS)
            if counts[code, k] < least[part]
        ]
        if few:
            units = len(np.unique(membership.units[codes == code]))
            bound = "" if units == counts[code].sum() else f" in {units} groups"
            refused.append(f"class {name!r} has {counts[code].sum()} records{bound}: {', '.join(few)}")
    if refused:
        more = f"; and {len(refused) - CLASSES_NAMED} more classes" if len(refused) > CLASSES_NAMED else ""
        raise BadInput(f"{source}: expected more records: {'; '.join(refused[:CLASSES_NAMED])}{more}")


def _together(source: Path, form: Form, keys: pa.Table, params: Params) -> list[np.ndarray]:
    """The partitions that must not be torn: equal payloads, groups, near images."""
    names = list(form.columns) if form.kind == "table" else [form.kind]
    rows = batch_rows(form)
    batches = iter_batches(source, rows=rows, columns=names)
    total = -(-num_records(source) // rows)
    digests = [payload_digests(batch, form) for batch in track(batches, "equality", total=total)]
    together = [equal_sets(np.concatenate(digests))] if digests else []
    if form.grouped:
        groups = keys.column("group").combine_chunks().dictionary_encode()
        together.append(groups.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64))
    if params.near_distance > 0:
        together.append(_near(source, form, params))
    return together


def _near(source: Path, form: Form, params: Params) -> np.ndarray:
    from threadpoolctl import threadpool_limits

    from mintmark.data.near_sets import near_sets  # scikit-learn takes a second to import

    if form.kind != "image":
        raise BadInput(
            f"{source}: near_distance must be 0 for records of kind {form.kind!r}, got {params.near_distance}"
        )
    with threadpool_limits(params.threads):
        return near_sets(
            payload_array(pq.read_table(source, columns=["image"]), "image"), distance=params.near_distance
        )


def _counts(codes: np.ndarray, membership: Membership, *, num_classes: int) -> np.ndarray:
    """Records by class (rows; the last one holds the unlabelled) and part (columns)."""
    counts = np.zeros((num_classes + 1, len(PARTS)), np.int64)
    np.add.at(counts, (codes, membership.parts), 1)  # code -1 is the last row
    return counts


def _write_parts(source: Path, folder: Path, form: Form, membership: Membership, hidden: np.ndarray) -> None:
    """Each record goes to its part, some without their label; a part keeps the source's order, the same for all parts."""
    rows, start = batch_rows(form), 0
    total = -(-len(membership.parts) // rows)
    with ExitStack() as stack:
        writers = [stack.enter_context(RecordWriter(folder / f"{part}.parquet", form)) for part in PARTS]
        for found in track(iter_batches(source, rows=rows), "records", total=total):
            here = slice(start, start + found.num_rows)
            parts, batch = membership.parts[here], _without_labels(found, hidden[here])
            for part, writer in enumerate(writers):
                writer.write(batch.filter(pa.array(parts == part)))
            start += found.num_rows


def _without_labels(rows: pa.RecordBatch | pa.Table, hidden: np.ndarray) -> Any:
    """The same rows, with a null label where it is hidden."""
    place = rows.schema.get_field_index("label")
    labels = pc.if_else(pa.array(hidden), pa.scalar(None, rows.schema.field(place).type), rows.column(place))
    return rows.set_column(place, rows.schema.field(place), labels)


def _write_coins(path: Path, keys: pa.Table, membership: Membership) -> None:
    """One row a record: id, label, the id of the first record of its unit, the coin and the part."""
    first = np.unique(membership.units, return_index=True)[1]
    coins = pa.table(
        {
            "id": keys.column("id"),
            "label": keys.column("label"),
            "group": keys.column("id").take(pa.array(first[membership.units])),
            "coin": membership.coins,
            "part": np.array(PARTS)[membership.parts],
        }
    )
    with whole_file(path) as partial:
        pq.write_table(coins.replace_schema_metadata(None), partial, compression="zstd")


def _report(counts: np.ndarray, form: Form, membership: Membership, params: Params) -> Report:
    measurements = tuple(
        Measurement(name=f"{part}_records", value=float(n), unit="count", n=int(counts.sum()), note=note)
        for part, n, note in zip(PARTS, counts.sum(axis=0), NOTES, strict=True)
    )
    sizes = np.bincount(membership.units)
    table = {name: dict(zip(PARTS, row, strict=True)) for name, row in zip(form.classes, counts.tolist(), strict=False)}
    facts = {
        "classes": table,
        "unlabelled": dict(zip(PARTS, counts[-1].tolist(), strict=True)),
        "units": {"all": len(sizes), "of_several": int((sizes > 1).sum()), "largest": int(sizes.max(initial=0))},
        "fractions": asdict(params.fractions),
        "unlabelled_fractions": asdict(params.unlabelled_fractions),
        "train_labels_per_class": params.train_labels_per_class,
        "near_distance": params.near_distance,
    }
    return Report(stage="split", measurements=measurements, headline=tuple(m.name for m in measurements), facts=facts)


if __name__ == "__main__":
    main("split", Params, run)
