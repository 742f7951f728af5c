"""Where the fan-outs of a stage run: joblib's back end, chosen by the environment.

MINTMARK_ENGINE          loky (processes of this machine, the default), dask or ray
MINTMARK_ENGINE_ADDRESS  a Dask scheduler (tcp://host:8786) or a Ray cluster (host:6379, auto); none: one for this run

Not in params.yaml: an engine changes where a fit is trained and none of its bytes, so DVC must not rerun for it. Threads
a job are the stage's own param, on every engine.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from joblib import parallel_config

from mintmark.errors import BadInput

NAME, ADDRESS = "MINTMARK_ENGINE", "MINTMARK_ENGINE_ADDRESS"


def engine(*, workers: int) -> AbstractContextManager[None]:
    """Send every fan-out inside the block to the engine that the environment names.

    Args:
        workers: Processes of an engine that is started for this run; a cluster has its own number.

    Raises:
        BadInput: no such engine, it is not installed, or nobody answers at its address.
    """
    name = os.environ.get(NAME, "loky")
    engines: dict[str, Callable[[int], AbstractContextManager[None]]] = {
        "loky": lambda _: nullcontext(),
        "dask": _dask,
        "ray": _ray,
    }
    if name not in engines:
        raise BadInput(f"{NAME}: expected one of {', '.join(engines)}, got {name!r}")
    return engines[name](workers)


@contextmanager
def _dask(workers: int) -> Iterator[None]:
    try:
        from distributed import Client
    except ImportError as error:
        raise _missing("dask") from error
    address = os.environ.get(ADDRESS)
    local: dict[str, Any] = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    try:
        client = Client(address, timeout=10) if address else Client(**local)
    except OSError as error:
        raise BadInput(f"{ADDRESS}: expected a Dask scheduler, nobody answers at {address}") from error
    with client, parallel_config(backend="dask"):
        yield


@contextmanager
def _ray(workers: int) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing phones home
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise _missing("ray") from error
    address = os.environ.get(ADDRESS)
    where: dict[str, Any] = {"address": address or "local"}
    if not address:
        where |= {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(**where, log_to_driver=False)
    except ConnectionError as error:
        raise BadInput(f"{ADDRESS}: expected a Ray cluster, nobody answers at {address}") from error
    try:
        register_ray()
        with parallel_config(backend="ray"):
            yield
    finally:
        ray.shutdown()


def _missing(extra: str) -> BadInput:
    return BadInput(f"{NAME}={extra}: expected the package, found none; install it with `make engines`")
