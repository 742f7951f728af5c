"""A file that one process at a time holds, and in which it says who it is."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Held(Exception):
    """Another process holds the file; `holder` is its number."""

    def __init__(self, holder: str) -> None:
        """`holder` is the process number as the file gives it."""
        super().__init__(f"held by process {holder}")
        self.holder = holder


@contextmanager
def only_holder(path: Path) -> Iterator[None]:
    """Hold a file for as long as the block lasts; it is free again when this process ends, however it ends.

    Raises:
        Held: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise Held(lock.read().strip()) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
