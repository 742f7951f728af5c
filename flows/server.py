"""A local Prefect server: its API and its UI on 127.0.0.1, for as long as whoever started it lives.

Where it answers is written down, so that every run in this checkout finds it, whatever its port.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import psutil

from flows.stages import GUARD
from mintmark.files import write_json

HOST = "127.0.0.1"
PORT = 4200
RECORD = Path(".dvc/tmp/prefect-server.json")
LOG = Path(".dvc/tmp/prefect-server.log")
SECONDS_TO_START = 180.0
SECONDS_TO_STOP = 15.0
SECONDS_BETWEEN_LOOKS = 1.0


def ui_url(port: int) -> str:
    """Where a person opens the server on this port."""
    return f"http://{HOST}:{port}"


def api_url(port: int) -> str:
    """Where a server on this port answers."""
    return f"{ui_url(port)}/api"


def is_healthy(port: int) -> bool:
    """Whether a Prefect server answers on this port."""
    try:
        with urllib.request.urlopen(f"{api_url(port)}/health", timeout=2) as answer:  # noqa: S310 - loopback
            return answer.status == 200 and answer.read() == b"true"
    except (URLError, OSError):
        return False


class Running(NamedTuple):
    """A server that was started in this checkout.

    Attributes:
        port: Of its API and UI.
        reports: The address of the report server beside it.
    """

    port: int
    reports: str


def running() -> Running | None:
    """The server that was started in this checkout, while it answers; None where there is none."""
    try:
        found = Running(**json.loads(RECORD.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return found if is_healthy(found.port) else None


@contextmanager
def recorded(server: Running) -> Iterator[None]:
    """Let every run in this checkout know of a server for as long as the block lasts."""
    write_json(RECORD, server._asdict())
    try:
        yield
    finally:
        RECORD.unlink(missing_ok=True)


@contextmanager
def server(port: int) -> Iterator[str]:
    """Run a Prefect server for as long as the block lasts, and yield its API's address. Its log goes to `LOG`.

    A server that dies is started again on the same port and the same database, so that runs which report to it go on.

    Raises:
        RuntimeError: the port is taken, or the server stopped or did not answer in time.
    """
    _expect_free(port)
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_bytes(b"")
    kept = _Kept(port)
    try:
        _wait_until_healthy(kept.process, port)
        kept.watch()
        yield api_url(port)
    finally:
        kept.end()


class _Kept:
    """A server's process, started again whenever it dies, until `end`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.process = _start(port)
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def watch(self) -> None:
        """Keep the server alive, from a thread."""
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_LOOKS):
            if self.process.poll() is None:
                continue
            with self._lock:
                if self._ended.is_set():
                    return
                print(f"the Prefect server died and is started again; its log is {LOG}", file=sys.stderr, flush=True)
                _end(self.process)  # what was left of its group would hold the port
                self.process = _start(self.port)

    def end(self) -> None:
        """Stop the server for good."""
        self._ended.set()
        with self._lock:
            _end(self.process)


def _start(port: int) -> subprocess.Popen[bytes]:
    # The UI asks the server where the API is, and the server answers from its settings, not from --port.
    environment = os.environ | {"PREFECT_SERVER_API_HOST": HOST, "PREFECT_SERVER_API_PORT": str(port)}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    with LOG.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *command],
            env=environment,
            stdin=subprocess.PIPE,  # the guard ends the server when this process is gone, however it went
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process, which then stops the server
        )


def _expect_free(port: int) -> None:
    if is_healthy(port):
        raise RuntimeError(f"a Prefect server already answers at {ui_url(port)}; open it, or choose another --port")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise RuntimeError(f"port {port} of {HOST} is taken by another program; choose another --port") from error


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not is_healthy(port):
        if process.poll() is not None:
            last = LOG.read_text(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"the Prefect server stopped at once: {' '.join(last)} (more in {LOG})")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the Prefect server did not answer on port {port} in time; its log is {LOG}")
        time.sleep(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server and its helpers to stop, then make the whole group go."""
    group = process.pid
    members = [member for member in psutil.process_iter() if _group(member) == group]
    for member in members:
        if member.pid != group:  # the guard leads the group and leaves with its command
            with suppress(psutil.NoSuchProcess):
                member.terminate()
    psutil.wait_procs(members, timeout=SECONDS_TO_STOP)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def _group(member: psutil.Process) -> int | None:
    try:
        return os.getpgid(member.pid)
    except ProcessLookupError:
        return None
