"""What a source of records is to the rest of ingestion: facts known at once, and batches that can be read again.

A reader (idx, npz, image folder, Parquet, CSV) turns files into a `Source`. Knows nothing of classes, ids or the
canonical file: labels are still the source's own text, and rows that cannot be read are still there, with the reason.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from mintmark.data.records import Kind
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some rows of a source.

    Attributes:
        payload: Images (n, height, width, channels) uint8, series (n, time, channels) float32, or a table's columns.
        where: Each row's place in the source, for people: "row 7", "cats/3.png".
        labels: Each row's label as the source has it; None where it has none.
        groups: Each row's group, where the source has groups.
        ids: Each row's own id, where the source has ids.
        broken: For each row that cannot be read, its position in the batch and why; its payload is zeros.
    """

    payload: np.ndarray | pa.RecordBatch
    where: Sequence[str]
    labels: Sequence[str | None]
    groups: Sequence[str | None] | None
    ids: Sequence[str | None] | None
    broken: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where records come from.

    Attributes:
        kind: What the records are.
        shape: The shape of every image or series; empty for a table.
        columns: A table's payload columns and their Arrow types, as `Form.columns`.
        batches: Starts reading from the first row.
        num_batches: About how many batches there are, for a progress bar.
        files: The files that hold the source, in a fixed order.
        left_over: Rows of the source that no record holds: too few at the end of a run to fill a window.
    """

    kind: Kind
    shape: tuple[int, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    batches: Callable[[], Iterator[Batch]]
    num_batches: int
    files: Callable[[], Iterator[Path]]
    left_over: int = 0


def files_in(path: Path, *, suffixes: tuple[str, ...]) -> list[Path]:
    """The file at `path`; or, of a folder and its subfolders, the files that end in one of `suffixes`, sorted by path.

    Raises:
        BadInput: there is nothing at `path`, or a folder without such files.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadInput(f"{path}: expected a file or a folder, found none")
    found = sorted(one for one in path.rglob("*") if one.is_file() and one.name.lower().endswith(suffixes))
    if not found:
        raise BadInput(f"{path}: expected a folder with files that end in {' or '.join(suffixes)}, found none")
    return found


def digest(files: Iterator[Path], *, root: Path) -> str:
    """The SHA-256 of a source: of the bytes of a single file, or of the lines of `sha256sum` over several.

    A line is a file's SHA-256, two spaces, its path below `root` and a newline, so that a renamed class folder or a
    moved file changes the whole.
    """
    lines = hashlib.sha256()
    number, last = 0, ""
    for file in files:
        with file.open("rb") as stream:
            last = hashlib.file_digest(stream, "sha256").hexdigest()
        name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
        lines.update(f"{last}  {name}\n".encode("utf-8", "surrogateescape"))
        number += 1
    return last if number == 1 else lines.hexdigest()
