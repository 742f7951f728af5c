"""Where releases lie: a folder or an S3 bucket, with one pointer that moves only by a conditional write.

Knows bytes and keys; what a release or a pointer means stands elsewhere. Whoever swaps the pointer says which pointer
they saw, and loses if another is there by then.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from mintmark.errors import BadInput
from mintmark.release import manifest

POINTER = "current"
LOCK = ".lock"


class Pointer(NamedTuple):
    """The pointer's content, and the token that a later swap must name."""

    content: bytes
    token: str


class Store(Protocol):
    """A place for releases. Keys are relative and use slashes. Every method raises BadInput where the place fails."""

    def put(self, key: str, path: Path) -> None:
        """Copy a file to a key, replacing what is there."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Write a key that must not exist yet; False, and nothing written, where it does."""
        ...

    def read(self, key: str) -> bytes | None:
        """The bytes under a key; None where there are none."""
        ...

    def sha256(self, key: str) -> str | None:
        """The sha256 of the bytes under a key, read back in chunks; None where there are none."""
        ...

    def read_pointer(self) -> Pointer | None:
        """The pointer; None where none was ever set."""
        ...

    def swap_pointer(self, content: bytes, *, seen: Pointer | None) -> bool:
        """Set the pointer if it still is what was `seen`; False, and nothing written, where it is not."""
        ...


class FolderStore:
    """A folder on a local file system. Swaps happen under a lock file, and appear by an atomic rename."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, path: Path) -> None:
        """Copy a file to a key, whole or not at all."""
        with self._whole(key) as (stream, target), path.open("rb") as source:
            shutil.copyfileobj(source, stream)
            _finish(stream)
            Path(stream.name).replace(target)

    def create(self, key: str, content: bytes) -> bool:
        """Write a key that must not exist yet: a hard link fails where its name is taken."""
        with self._whole(key) as (stream, target):
            stream.write(content)
            _finish(stream)
            try:
                os.link(stream.name, target)
            except FileExistsError:
                return False
        return True

    def read(self, key: str) -> bytes | None:
        """The bytes under a key; None where there are none."""
        with _one_line(self.root):
            try:
                return (self.root / key).read_bytes()
            except FileNotFoundError:
                return None

    def sha256(self, key: str) -> str | None:
        """The sha256 of the bytes under a key; None where there are none."""
        with _one_line(self.root):
            try:
                return manifest.sha256(self.root / key)
            except FileNotFoundError:
                return None

    def read_pointer(self) -> Pointer | None:
        """The pointer; its token is its sha256."""
        content = self.read(POINTER)
        return None if content is None else Pointer(content, hashlib.sha256(content).hexdigest())

    def swap_pointer(self, content: bytes, *, seen: Pointer | None) -> bool:
        """Compare and swap under the lock."""
        with self._locked(), self._whole(POINTER) as (stream, target):
            if self.read_pointer() != seen:
                return False
            stream.write(content)
            _finish(stream)
            Path(stream.name).replace(target)
        return True

    @contextmanager
    def _whole(self, key: str) -> Iterator[tuple["tempfile._TemporaryFileWrapper[bytes]", Path]]:
        """A fresh file of a name of its own beside the key's place; gone afterwards unless it was renamed."""
        target = self.root / key
        with _one_line(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".partial", delete=False) as stream:
                try:
                    yield stream, target
                finally:
                    Path(stream.name).unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _one_line(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield


def _finish(stream: "tempfile._TemporaryFileWrapper[bytes]") -> None:
    """Bring a file's bytes to the disk, readable like any other file."""
    stream.flush()
    os.fchmod(stream.fileno(), 0o644)
    os.fsync(stream.fileno())


@contextmanager
def _one_line(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"{root}: expected a folder to publish to, got {error.strerror or error}") from error
