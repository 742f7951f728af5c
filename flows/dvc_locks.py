"""DVC's own read and write locks, cleared of what killed processes left in them.

DVC drops an entry whose process is gone, but takes a zombie for a living one, and stops for good at a file that a kill cut
short, since it writes it in place. Knows nothing of Prefect.
"""

import json
from pathlib import Path
from typing import Any

import psutil
from dvc.lock import make_lock

from mintmark.files import write_json

FOLDER = Path(".dvc/tmp")
NAME = "rwlock"


def release_dead() -> None:
    """Drop the entries of processes that no longer run; entries of living ones stay. Holds DVC's guard meanwhile."""
    path = FOLDER / NAME
    if not path.is_file():
        return
    with make_lock(str(FOLDER / f"{NAME}.lock"), tmp_dir=str(FOLDER)):
        try:
            held = json.loads(path.read_text())
        except json.JSONDecodeError:
            path.unlink()  # nobody can say any more what it held
            return
        writers = {name: info for name, info in held.get("write", {}).items() if _runs(info)}
        readers = {name: [info for info in infos if _runs(info)] for name, infos in held.get("read", {}).items()}
        left = {"write": writers, "read": {name: infos for name, infos in readers.items() if infos}}
        if left != held:  # nothing to write, nothing that a full disk could refuse
            write_json(path, left)


def _runs(info: dict[str, Any]) -> bool:
    try:
        return psutil.Process(int(info["pid"])).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
