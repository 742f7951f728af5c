"""Hold back a library's log lines that do not concern the reader, for the length of a block."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def errors_only(logger: str) -> Iterator[None]:
    """Let only errors of a named logger through; its level is restored afterwards."""
    held = logging.getLogger(logger)
    level = held.level
    held.setLevel(logging.ERROR)
    try:
        yield
    finally:
        held.setLevel(level)
