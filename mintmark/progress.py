"""Progress of anything longer than a few seconds: a bar in a terminal, plain lines elsewhere.

A plain line reads `progress LABEL DONE/TOTAL`; whoever runs the process (a scheduler's log, a progress artifact) can
parse it. Knows nothing of what is being counted.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 2.0

Item = TypeVar("Item")


def track(items: Iterable[Item], label: str, *, total: int | None = None) -> Iterator[Item]:
    """Yield the items and show how many of them are done.

    Args:
        items: What to iterate over.
        label: What is being counted, one word or hyphenated.
        total: How many items there are; needed only where `items` has no length.

    Raises:
        TypeError: `items` has no length and `total` is not given.
    """
    if total is None:
        if not isinstance(items, Sized):
            raise TypeError(f"total must be given for {label}: its items have no length")
        total = len(items)
    yield from _bar(items, label, total) if sys.stderr.isatty() else _lines(items, label, total)


def _bar(items: Iterable[Item], label: str, total: int) -> Iterator[Item]:
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        yield from progress.track(items, total=total)


def _lines(items: Iterable[Item], label: str, total: int) -> Iterator[Item]:
    said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - said >= SECONDS_BETWEEN_LINES or done == total:
            said = time.monotonic()
            print(f"progress {label} {done}/{total}", file=sys.stderr, flush=True)
