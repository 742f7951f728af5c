"""A bundle's manifest: every file with its sha256 and size. Its own sha256 is the release's address.

Signs nothing: it proves that files are whole, not who wrote them.
"""

import hashlib
from pathlib import Path
from typing import Any

from mintmark.errors import BadInput
from mintmark.files import read_json, write_json

NAME = "MANIFEST.json"
_CHUNK = 1 << 20


def write_manifest(folder: Path) -> None:
    """Write the manifest of every file that a folder holds."""
    write_json(folder / NAME, {"files": {name: _entry(folder / name) for name in _names(folder)}})


def read_manifest(folder: Path) -> dict[str, str]:
    """The sha256 of each file by its name, once the folder was found to hold those files and no others.

    Raises:
        BadInput: there is no manifest, or a file is missing, changed or not listed.
    """
    path = folder / NAME
    try:
        listed = dict(read_json(path)["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: expected a manifest, got {type(error).__name__}: {error}") from error
    found = {name: _entry(folder / name) for name in _names(folder)}
    for name in sorted(set(listed) | set(found)):
        if listed.get(name) != found.get(name):
            raise BadInput(f"{folder / name}: expected what {NAME} lists, {_difference(name, listed, found)}")
    return {name: entry["sha256"] for name, entry in found.items()}


def address(folder: Path) -> str:
    """The release's address: the sha256 of its manifest."""
    return sha256(folder / NAME)


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _names(folder: Path) -> list[str]:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in paths if name != NAME]


def _entry(path: Path) -> dict[str, Any]:
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def _difference(name: str, listed: dict[str, Any], found: dict[str, Any]) -> str:
    if name not in found:
        return "found no such file"
    return "got other bytes" if name in listed else "which does not name this file"
