"""A source of any form in, records in the canonical form out.

Writes `data/ingest/records.parquet` and `manifest.json`, both or neither. Labels that are no class are kept: validation
quarantines them.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mintmark.data.census import Census, Unreadable, take_census, write_records
from mintmark.data.columns import Columns
from mintmark.data.csv_source import open_csv_images, open_csv_series, open_csv_table, open_csv_windows
from mintmark.data.csv_text import CsvText, Dialect
from mintmark.data.fetch import fetched, public
from mintmark.data.idx import Part, labels_name, open_idx
from mintmark.data.image_folder import open_image_folder
from mintmark.data.labels import Labels
from mintmark.data.npz import open_npz
from mintmark.data.parquet_source import (
    ParquetFiles,
    open_parquet_images,
    open_parquet_series,
    open_parquet_table,
)
from mintmark.data.pixels import Canvas
from mintmark.data.records import Kind
from mintmark.data.rows import SeriesMould
from mintmark.data.source import Source, digest
from mintmark.files import whole_file, write_json
from tasks.params import main

Format = Literal["digits", "idx", "npz", "image_folder", "parquet", "csv"]

KINDS: dict[Format, tuple[Kind, ...]] = {
    "digits": ("image",),
    "idx": ("image",),
    "image_folder": ("image",),
    "npz": ("image", "series"),
    "parquet": ("image", "table", "series"),
    "csv": ("image", "table", "series"),
}
DIGITS = "mintmark/data/digits.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `ingest`."""

    source: str
    format: Format
    kind: Kind
    part: Part
    columns: Columns
    labels: Labels
    image: Canvas
    csv: Dialect
    window: int | None
    unreadable: Unreadable

    def __post_init__(self) -> None:
        if self.kind not in KINDS[self.format]:
            raise ValueError(f"kind must be one of {list(KINDS[self.format])} for {self.format}, got {self.kind!r}")
        if (self.format == "digits") != (self.source == DIGITS):
            raise ValueError(f"source must be {DIGITS} for the format digits, and for no other, got {self.source!r}")
        if self.part != "all" and self.format != "idx":
            raise ValueError(f"part must be 'all' for {self.format}, got {self.part!r}")
        if self.window is not None and (self.window < 1 or (self.format, self.kind) != ("csv", "series")):
            raise ValueError(f"window must be null, or at least 1 for series in csv, got {self.window}")
        if self.format not in {"parquet", "csv"} and (self.columns.group or self.columns.id):
            raise ValueError(f"columns.group and columns.id must be null for {self.format}")
        if self.kind != "table" and (self.columns.sensitive or self.columns.quasi_identifier):
            raise ValueError(f"columns.sensitive and columns.quasi_identifier must be [] for kind {self.kind}")


def run(params: Params, data_dir: Path) -> None:
    """Read the source twice, and write its records and their manifest."""
    folder = data_dir / "ingest"
    place = public(params.source)
    with _local(params, folder) as path:
        source = open_source(params, path)
        census = take_census(
            source,
            place=place,
            labels=params.labels,
            roles=params.columns.roles(),
            unreadable=params.unreadable,
        )
        facts = manifest(params, source, census, path)
        with whole_file(folder / "manifest.json") as partial:  # both files or neither
            write_json(partial, facts)
            write_records(folder / "records.parquet", source=source, census=census, place=place, labels=params.labels)
    print(_summary(census, source))


def open_source(params: Params, path: Path) -> Source:
    """The reader that the params ask for, on a local path."""
    labelled = params.columns.label is not None
    match params.format:
        case "digits":
            from mintmark.data.digits import open_digits

            return open_digits(canvas=params.image, labelled=labelled)
        case "idx":
            return open_idx(path, canvas=params.image, part=params.part, labelled=labelled)
        case "image_folder":
            return open_image_folder(path, canvas=params.image, labelled=labelled)
        case "npz":
            mould = params.image if params.kind == "image" else SeriesMould()
            return open_npz(path, kind=params.kind, columns=params.columns, mould=mould)
        case "parquet":
            return _open_parquet(params, path)
        case "csv":
            return _open_csv(params, path)


def _open_parquet(params: Params, path: Path) -> Source:
    parquet = ParquetFiles(path)
    match params.kind:
        case "image":
            return open_parquet_images(parquet, columns=params.columns, canvas=params.image)
        case "series":
            return open_parquet_series(parquet, columns=params.columns)
        case "table":
            return open_parquet_table(parquet, columns=params.columns)


def _open_csv(params: Params, path: Path) -> Source:
    text = CsvText(path, dialect=params.csv)
    if params.kind == "image":
        return open_csv_images(text, columns=params.columns, canvas=params.image)
    if params.kind == "table":
        return open_csv_table(text, columns=params.columns)
    if params.window is None:
        return open_csv_series(text, columns=params.columns)
    return open_csv_windows(text, columns=params.columns, length=params.window)


def manifest(params: Params, source: Source, census: Census, path: Path) -> dict[str, Any]:
    """What was ingested, for people and for later stages: no clock time, no host."""
    return {
        "source": public(params.source),
        "format": params.format,
        "sha256": digest(source.files(), root=path if path.is_dir() else path.parent),
        "kind": census.form.kind,
        "shape": list(census.form.shape),
        "rows": census.rows,
        "labelled": census.rows - census.unlabelled,
        "unlabelled": census.unlabelled,
        "classes": dict(census.counts),
        "unreadable": [{"where": where, "reason": reason} for where, reason in census.unreadable],
        "left_over": source.left_over,
    }


def _local(params: Params, folder: Path) -> AbstractContextManager[Path]:
    """The source on this machine; of a remote file of idx images, the labels as well."""
    if params.format == "digits":
        return nullcontext(Path(params.source))  # watched, not read
    images = public(params.source).rsplit("/", 1)[-1]
    labels = labels_name(images)
    paired = params.format == "idx" and params.columns.label is not None and labels != images
    return fetched(params.source, into=folder / "source", beside=(labels,) if paired else ())


def _summary(census: Census, source: Source) -> str:
    labelled = census.rows - census.unlabelled
    parts = [f"ingest: {census.rows} records of kind {source.kind}, {labelled} labelled"]
    parts += [f"{len(census.unreadable)} unreadable"] if census.unreadable else []
    parts += [f"{source.left_over} rows left over"] if source.left_over else []
    return ", ".join(parts)


if __name__ == "__main__":
    main("ingest", Params, run)
