"""Whole files or none: write beside the target, then rename.

Unfinished work lies in `.partial/` beside the target, so a reader never sees half a file, and a kill leaves nothing
that looks finished.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL = ".partial"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it becomes `path` when the block ends, and vanishes when the block raises."""
    partial = path.parent / PARTIAL / path.name
    held = partial.with_name(f"{partial.name}.held")
    try:
        _hold(held)
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        held.unlink(missing_ok=True)
        _remove_if_empty(partial.parent)


def _hold(held: Path) -> None:
    """Keep the folder of unfinished work for this writer: another that ends meanwhile removes it once it is empty."""
    while True:
        try:
            held.parent.mkdir(parents=True, exist_ok=True)
            held.touch()
        except FileNotFoundError:
            continue  # removed in between
        except FileExistsError:
            if held.parent.is_file():
                raise
            continue  # removed while it was looked at
        return


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it replaces `path` when the block ends, and vanishes when the block raises."""
    with scratch_folder(path) as partial:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder for unfinished work that belongs to `path`; it is gone when the block ends."""
    partial = path.parent / PARTIAL / path.name
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_if_empty(partial.parent)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as stable JSON: sorted keys, two spaces, no NaN.

    Raises:
        ValueError: `value` holds NaN or an infinity, which JSON cannot carry.
    """
    with whole_file(path) as partial:
        partial.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The JSON value in a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def _remove_if_empty(folder: Path) -> None:
    """In one call: between a look and a removal another writer may come, or go and remove it first."""
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
