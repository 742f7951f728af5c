"""DVC, except that dvc.lock is written whole or not at all.

DVC rewrites dvc.lock in place. A disk that fills up, or a kill, in that moment leaves it empty or cut short, and what is cut
short may still parse, without the rows of finished stages. Here the new text is written beside it and renamed over it.
Run by its path, since the folder where a stage runs need not hold this package.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc import dvcfile
from dvc.cli import main

PARTIAL = ".dvc.lock.partial"
modify_in_place = dvcfile.modify_yaml


@contextmanager
def modify_whole(path: str, fs: Any = None) -> Iterator[Any]:
    """What DVC's `modify_yaml` does, on a copy that then takes the file's place. DVC holds its own lock meanwhile."""
    partial = Path(path).with_name(PARTIAL)
    try:
        if Path(path).exists():
            shutil.copyfile(path, partial)
        with modify_in_place(os.fspath(partial), fs=fs) as data:
            yield data
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    dvcfile.modify_yaml = modify_whole
    sys.exit(main())
