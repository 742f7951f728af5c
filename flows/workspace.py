"""The folder where a run belongs: this checkout, or for changed parameters a workspace of its own.

A run with changed parameters edits nothing of the checkout: neither params.yaml nor dvc.lock nor data/. It works in
.dvc/tmp/workspaces/<digest of the changes>, a small DVC project with copies of the code and the pipeline, the changed
params.yaml, a dvc.lock of its own, and the checkout's cache: what both have in common is restored, not run again.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from ruamel.yaml import YAML

from flows import overrides
from flows.lock import Held, only_holder

LOCK = Path(".dvc/tmp/mintmark.lock")
WORKSPACES = Path(".dvc/tmp/workspaces")
KEPT = 3
PROJECT_FILES = ("dvc.yaml", ".dvcignore", ".dvc/config", ".dvc/config.local")


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold a folder: two runs at once would build the same files.

    Raises:
        RuntimeError: another run holds it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(only_holder(folder / LOCK))
        except Held as error:
            raise RuntimeError(f"another run (process {error.holder}) holds this checkout; wait for it") from error
        yield


def place(wanted: Mapping[str, Any]) -> Path:
    """The workspace of these changes, relative to the checkout."""
    return WORKSPACES / hashlib.sha256(json.dumps(dict(wanted), sort_keys=True).encode()).hexdigest()[:12]


@contextmanager
def changed(wanted: Mapping[str, Any]) -> Iterator[Path]:
    """Work in the workspace of these changes for as long as the block lasts, and hold it.

    Args:
        wanted: Dotted keys of params.yaml, and the values that they take.

    Raises:
        ValueError: params.yaml has no such key, or the value is of another kind.
        RuntimeError: another run with the same changes is under way.
    """
    checkout = Path.cwd()
    params = _changed_params(checkout, wanted)
    folder = checkout / place(wanted)
    with only_run(folder):
        _refresh(folder, checkout, params)
        _forget_oldest(folder)
        with contextlib.chdir(folder):
            yield folder


def _changed_params(checkout: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    params = YAML().load(checkout / "params.yaml")
    overrides.apply(params, wanted)
    for section, source in _sources(checkout, params).items():
        params[section]["source"] = str((checkout / source).resolve())  # data stay where they are
    return params


def _sources(checkout: Path, params: Mapping[str, Any]) -> dict[str, Path]:
    """The data on this machine that the stages named read, less what is code of ours."""
    stated = {section: params.get(section, {}).get("source") for section in ("ingest", "train_gan")}
    local = {section: Path(one) for section, one in stated.items() if one and "://" not in one}
    return {section: path for section, path in local.items() if not _is_code(checkout, path)}


def _refresh(folder: Path, checkout: Path, params: dict[str, Any]) -> None:
    """Bring the workspace's code, pipeline and parameters up to the checkout's; what it has computed stays."""
    for name in _code(checkout):
        _copy(checkout / name, folder / name)
    for name in PROJECT_FILES:
        if (checkout / name).is_file():
            _copy(checkout / name, folder / name)
    if (checkout / "dvc.lock").is_file() and not (folder / "dvc.lock").is_file():
        _copy(checkout / "dvc.lock", folder / "dvc.lock")
    YAML().dump(params, folder / "params.yaml")
    with Repo(str(checkout)) as repo:
        cache = repo.cache.local_cache_dir
    with Repo(str(folder), uninitialized=True).config.edit("local") as config:
        local: Any = config
        local["cache"] = local.get("cache", {}) | {"dir": cache}
        # It lies inside the checkout's own repository, which ignores it.
        local["core"] = local.get("core", {}) | {"no_scm": True}


def _code(checkout: Path) -> set[Path]:
    """What the stages read inside the checkout, but no stage writes, without the data source; packages whole."""
    with Repo(str(checkout)) as repo:
        written = [Path(out.fs_path) for stage in repo.index.stages for out in stage.outs]
        read = {Path(dep.fs_path) for stage in repo.index.stages for dep in stage.deps if dep.protocol == "local"}
    sources = _sources(checkout, YAML(typ="safe").load(checkout / "params.yaml"))
    data = [*written, *(checkout / source for source in sources.values())]
    files = {path for path in read if path.is_relative_to(checkout) and not any(map(path.is_relative_to, data))}
    return {_whole(checkout, path.relative_to(checkout)) for path in files}


def _whole(checkout: Path, path: Path) -> Path:
    """The package that a file or folder belongs to; itself where it belongs to none."""
    top = Path(path.parts[0])
    return top if (checkout / top / "__init__.py").is_file() else path


def _is_code(checkout: Path, source: Path) -> bool:
    return not source.is_absolute() and (checkout / source.parts[0] / "__init__.py").is_file()


def _copy(origin: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(origin, target)


def _forget_oldest(current: Path) -> None:
    """Keep this workspace and the newest others that no run holds; what they computed stays in the cache."""
    os.utime(current)
    by_age = sorted((path for path in current.parent.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for folder in by_age[:-KEPT]:
        with contextlib.suppress(RuntimeError), only_run(folder):
            shutil.rmtree(folder)
