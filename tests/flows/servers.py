"""`make serve` as tests start it, and what they ask the server that it runs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import server


def environment(checkout: Path, **more: str) -> dict[str, str]:
    """What a process in that checkout sees: its own Prefect home, and no server but the one that it finds."""
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT")}
    return bare | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_HOME": str(checkout / "home"),
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",
        **more,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(what: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What the call gives, once it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"nothing came of {what} within {seconds} s")


def family(process: subprocess.Popen) -> list[psutil.Process]:
    return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]


@contextmanager
def serving(checkout: Path, *options: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """`make serve` in a checkout, in a process group of its own as in a terminal; whatever is left of it is killed."""
    port = free_port()
    with (checkout / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.serve", "--port", str(port), "--report-port", "0", *options],
            cwd=checkout,
            env=environment(checkout),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started: list[psutil.Process] = []
    try:
        said = lambda: "stop: Ctrl-C" in (checkout / "serve.log").read_text() or process.poll() is not None  # noqa: E731
        eventually(said)
        started = family(process)
        yield process, port
    finally:
        for member in [*started, *(family(process) if process.poll() is None else [])]:
            if member.is_running():
                member.kill()
        process.wait()


@contextmanager
def client(port: int) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: server.api_url(port)}), get_client(sync_client=True) as found:
        yield found


def run_states(api: SyncPrefectClient) -> dict[str, str]:
    return {run.id.hex: run.state_name or "" for run in api.read_flow_runs()}


def deployment(api: SyncPrefectClient, name: str) -> DeploymentResponse:
    """The deployment of that name, once it is there."""
    return eventually(lambda: next((one for one in api.read_deployments() if one.name == name), None))
