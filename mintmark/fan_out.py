"""Many jobs over joblib, in whatever back end is active; the results come in the order of the jobs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

Result = TypeVar("Result")


def fan_out(jobs: Iterable[Callable[[], Result]], *, workers: int) -> Iterator[Result]:
    """What each job gives, in order: one by one as they end, or all at the end where the back end knows no other way.

    Args:
        jobs: Functions that can be sent to another process, and give the same wherever they run.
        workers: How many run at a time; a cluster may have a number of its own.
    """
    backend: Any = get_active_backend()[0]
    how = "generator" if backend.supports_return_generator else "list"  # Ray's cannot hand over one by one
    done: Any = Parallel(n_jobs=workers, return_as=how)(delayed(job)() for job in jobs)
    yield from done
