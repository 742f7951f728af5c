"""Stages that run at the same time share this machine's GPUs: a Prefect concurrency limit, one slot per GPU.

The limit (`gpus-<machine>`, in the UI under Concurrency) says how many stages may hold a GPU at once, over all runs that
report to one server; a file lock says which GPU each of them has, also between runs that report to different ones.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from platform import node

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists
from ruamel.yaml import YAML

from flows.lock import Held, only_holder

VISIBLE = "CUDA_VISIBLE_DEVICES"
LEASE_SECONDS = 60.0  # a killed run's slot is free again after so long; Prefect takes no less


def gpus() -> list[str]:
    """The GPUs that a stage started here would see, as CUDA names them; asked without loading torch."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return [name for name in (part.strip() for part in visible.split(",")) if name and name != "-1"]
    query = shutil.which("nvidia-smi")
    if query is None:
        return []
    done = subprocess.run([query, "--list-gpus"], capture_output=True, text=True, check=False)
    return re.findall(r"^GPU (\d+):", done.stdout, flags=re.MULTILINE) if done.returncode == 0 else []


def wants_gpu(stage: str) -> bool:
    """Whether a stage takes a GPU where there is one: its section of params.yaml names a device other than the CPU."""
    params = YAML(typ="safe").load(Path("params.yaml")) if Path("params.yaml").is_file() else {}
    section = (params or {}).get(stage.partition("@")[0])
    return isinstance(section, dict) and section.get("device") in {"auto", "cuda"}


@contextmanager
def slot(stage: str) -> Iterator[Mapping[str, str]]:
    """Wait for a GPU, hold it for as long as the block lasts, and yield what the stage's environment must say.

    A stage that wants none, or a machine that has none, waits for nothing and yields nothing.
    """
    found = gpus() if wants_gpu(stage) else []
    if not found:
        yield {}
        return
    with concurrency(_limit(len(found)), lease_duration=LEASE_SECONDS, strict=True), _free(found) as gpu:
        yield {VISIBLE: gpu}


def _limit(slots: int) -> str:
    """The limit's name; it is created with this many slots where the server has none, and kept as a person set it."""
    name = f"gpus-{node()}"
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=slots))
    return name


@contextmanager
def _free(found: list[str]) -> Iterator[str]:
    """A GPU that no other stage on this machine holds; the first where a person set more slots than there are GPUs."""
    with ExitStack() as stack:
        for gpu in found:
            try:
                stack.enter_context(only_holder(_lock(gpu)))
            except Held:
                continue
            yield gpu
            return
        yield found[0]


def _lock(gpu: str) -> Path:
    return Path(tempfile.gettempdir()) / f"mintmark-{os.getuid()}" / f"gpu-{re.sub(r'[^A-Za-z0-9-]', '-', gpu)}.lock"
