"""Publish a released bundle to a folder or an S3 bucket. The only code with side effects outside data/.

Idempotent: every release lies under its content's address, and `current`, the pointer that readers follow, moves only by
a conditional write. A refused bundle changes nothing. Each pointer names its predecessor, so a release can be taken back.

    python -m flows.deploy --target FOLDER_OR_S3            publish data/release/bundle
    python -m flows.deploy --target FOLDER_OR_S3 --rollback point to the release before

Layout: objects/<address>/... (files), pointers/<sha256>.json (history), current (the newest pointer).
"""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from mintmark.errors import BadInput
from mintmark.files import read_json
from mintmark.progress import track
from mintmark.release import manifest
from mintmark.release.storage import FolderStore, Pointer, Store
from mintmark.release.verdict import VERDICT_FILE

BUNDLE = Path("data/release/bundle")

Status = Literal["published", "unchanged", "refused", "outrun"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a deployment ended.

    Attributes:
        status: "published": `current` points to this release now. "unchanged": it already did. "refused": the verdict,
            or a rollback, keeps this release back. "outrun": another deployer moved `current` meanwhile.
        address: The release that was to be published, or that `current` points to after a rollback.
        message: One sentence for a person.
    """

    status: Status
    address: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A pointer's content.

    Attributes:
        release: The address that it points to.
        predecessor: The pointer before it, by its sha256; None for the first.
        restores: For a rollback, the earlier pointer whose state it restores; else None.
    """

    release: str
    predecessor: str | None
    restores: str | None = None


def deploy(bundle_dir: Path, target: str) -> Outcome:
    """Publish a bundle if its verdict releases it and it is not what `current` points to.

    Args:
        bundle_dir: What the release stage wrote.
        target: A folder, or s3://bucket/prefix.

    Raises:
        BadInput: the bundle is damaged, or the target cannot be reached, written or trusted.
    """
    digests = manifest.read_manifest(bundle_dir)
    address = manifest.address(bundle_dir)
    verdict = read_json(bundle_dir / VERDICT_FILE)
    if not verdict["released"]:
        work_on = verdict["work_on"]["rule"]
        return Outcome(
            status="refused",
            address=address,
            message=f"refused, nothing published: {verdict['reason']}. Work on the rule: {work_on}",
        )
    store = open_store(target)
    seen = store.read_pointer()
    current = None if seen is None else _parsed(seen.content, target)
    if current is not None and current.release == address:
        return Outcome(status="unchanged", address=address, message=f"nothing changed: {target} already has {address}")
    if current is not None and address in _withdrawn(store, seen, target):
        return Outcome(
            status="refused",
            address=address,
            message=f"refused, nothing published: {address} was taken back by a rollback; change something first",
        )
    _upload(store, bundle_dir, address, digests)
    entry = Entry(release=address, predecessor=None if seen is None else _name(seen.content))
    return _point(store, entry, seen=seen, target=target, verb="published")


def rollback(target: str) -> Outcome:
    """Point `current` to the release that was published before the one it points to.

    Raises:
        BadInput: there is no release before it, or the target cannot be reached, written or trusted.
    """
    store = open_store(target)
    seen = store.read_pointer()
    if seen is None:
        raise BadInput(f"{target}: expected a release to take back, found none")
    current = _parsed(seen.content, target)
    standing = current if current.restores is None else _entry(store, current.restores, target)
    if standing.predecessor is None:
        raise BadInput(f"{target}: expected a release before {standing.release}, found none")
    before = _entry(store, standing.predecessor, target)
    restores = before.restores or standing.predecessor
    entry = Entry(release=before.release, predecessor=_name(seen.content), restores=restores)
    return _point(store, entry, seen=seen, target=target, verb="rolled back to")


def open_store(target: str) -> Store:
    """The store that a target names."""
    if "://" not in target:
        return FolderStore(Path(target))
    from mintmark.release.s3 import S3Store

    return S3Store(target)


def _upload(store: Store, bundle_dir: Path, address: str, digests: dict[str, str]) -> None:
    """Write each file that is not there yet, and read each back; the manifest last, so that it marks a whole release."""
    wanted = {**digests, manifest.NAME: address}
    for name in track(list(wanted), "files"):
        key = f"objects/{address}/{name}"
        if store.sha256(key) == wanted[name]:
            continue
        store.put(key, bundle_dir / name)
        found = store.sha256(key)
        if found != wanted[name]:
            raise BadInput(f"{key}: expected to read back sha256 {wanted[name]}, got {found}")


def _point(store: Store, entry: Entry, *, seen: Pointer | None, target: str, verb: str) -> Outcome:
    """Keep the pointer in the history, then move `current` to it if nobody else has moved it."""
    content = json.dumps(asdict(entry), indent=2, sort_keys=True).encode() + b"\n"
    key = _history_key(_name(content))
    store.create(key, content)
    if store.create(key, content):
        raise BadInput(f"{target}: expected a store that honours conditional writes, got one that ignores them")
    if store.swap_pointer(content, seen=seen):
        return Outcome(status="published", address=entry.release, message=f"{verb} {entry.release} at {target}")
    now = store.read_pointer()
    standing = "nothing" if now is None else _parsed(now.content, target).release
    if standing == entry.release:
        message = f"nothing changed: another deployer pointed {target} to {standing} first"
        return Outcome(status="unchanged", address=entry.release, message=message)
    return Outcome(
        status="outrun",
        address=entry.release,
        message=f"outrun: another deployer moved `current` at {target} to {standing} first; nothing was changed",
    )


def _withdrawn(store: Store, seen: Pointer | None, target: str) -> set[str]:
    """The releases that the newest rollbacks took back: those between `current` and the pointer that it restores."""
    entry = None if seen is None else _parsed(seen.content, target)
    taken_back: set[str] = set()
    if entry is None or entry.restores is None:
        return taken_back
    restored, release = entry.restores, entry.release
    name = entry.predecessor
    while name is not None and name != restored:
        entry = _entry(store, name, target)
        taken_back.add(entry.release)
        name = entry.predecessor
    return taken_back - {release}


def _entry(store: Store, name: str, target: str) -> Entry:
    content = store.read(_history_key(name))
    if content is None:
        raise BadInput(f"{target}: expected the pointer {_history_key(name)}, found none")
    return _parsed(content, target)


def _parsed(content: bytes, target: str) -> Entry:
    try:
        return Entry(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise BadInput(f"{target}: expected a pointer, got {type(error).__name__}: {error}") from error


def _history_key(name: str) -> str:
    return f"pointers/{name}.json"


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(
    *,
    target: Annotated[str, typer.Option(help="A folder, or s3://bucket/prefix.")],
    bundle: Annotated[Path, typer.Option(help="The bundle that the release stage wrote.")] = BUNDLE,
    take_back: Annotated[bool, typer.Option("--rollback", help="Point to the release before instead.")] = False,
) -> None:
    """Publish the bundle, or take the last release back."""
    try:
        outcome = rollback(target) if take_back else deploy(bundle, target)
    except (BadInput, OSError) as error:
        sys.exit(f"deploy: {error}")
    print(outcome.message)
    if outcome.status == "outrun":
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
