"""What DVC brought back from its cache is what dvc.lock names: DVC itself trusts a cached object without reading it.

Only outputs that were restored are read; those that a stage has just written were hashed by DVC. Knows nothing of Prefect.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from dvc.repo import Repo
from ruamel.yaml import YAML


def discard_damaged(stage: str) -> list[str]:
    """Remove a stage's outputs that are not what dvc.lock names, with the cached objects that they came from.

    Returns:
        The outputs that were damaged, by their paths in dvc.lock; DVC then finds them missing and runs the stage.
    """
    row = YAML(typ="safe").load(Path("dvc.lock"))["stages"].get(stage, {})
    with Repo() as repo:
        cache = Path(repo.cache.local.path)
    lists = [path for path in cache.glob("??/*.dir") if _md5(path) != path.parent.name + path.name]
    for path in lists:  # DVC has followed one, and named what came of it in dvc.lock: any of them may be this stage's
        path.unlink()
    damaged = []
    for out in row.get("outs", []):
        files = _files(Path(out["path"]), out["md5"], cache)
        bad = [digest for path, digest in files if _md5(path) != digest]
        for digest in bad:
            _object(cache, digest).unlink(missing_ok=True)
        if bad or (lists and out["md5"].endswith(".dir")):
            damaged.append(out["path"])
            _remove(Path(out["path"]))
    return damaged


def _files(path: Path, digest: str, cache: Path) -> Iterator[tuple[Path, str]]:
    """Each restored file and its md5; a folder's from the cached list of its files."""
    if not digest.endswith(".dir"):
        yield path, digest
    elif _object(cache, digest).is_file():
        for entry in json.loads(_object(cache, digest).read_bytes()):
            yield path / entry["relpath"], entry["md5"]


def _md5(path: Path) -> str:
    """The md5 of a file, marked as DVC marks a folder's list; empty where there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return f"{found}.dir" if path.suffix == ".dir" else found


def _object(cache: Path, digest: str) -> Path:
    return cache / digest[:2] / digest[2:]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
