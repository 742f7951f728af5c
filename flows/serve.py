"""The local server: Prefect's API and UI on 127.0.0.1, and the scheduled run of the pipeline.

python -m flows.serve                    server, UI and schedule, until Ctrl-C
python -m flows.serve --port 4300        on another port
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.error import URLError

import typer

HOST = "127.0.0.1"
PORT = 4200
CRON = "0 2 * * *"
SECONDS_TO_START = 90.0


def api_url(port: int) -> str:
    """Where a server on this port answers."""
    return f"http://{HOST}:{port}/api"


def is_healthy(port: int) -> bool:
    """Whether a Prefect server answers on this port."""
    try:
        with urllib.request.urlopen(f"{api_url(port)}/health", timeout=2) as answer:  # noqa: S310 - loopback
            return answer.status == 200 and answer.read() == b"true"
    except (URLError, OSError):
        return False


@contextmanager
def server(port: int) -> Iterator[str]:
    """Run a Prefect server for as long as the block lasts, and yield its API's address.

    Raises:
        RuntimeError: it did not answer in time.
    """
    # The UI asks the server where the API is, and the server answers from its settings, not from --port.
    environment = os.environ | {"PREFECT_SERVER_API_HOST": HOST, "PREFECT_SERVER_API_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches this process, which then stops the server
    )
    try:
        _wait_until_healthy(process, port)
        yield api_url(port)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not is_healthy(port):
        if process.poll() is not None:
            assert process.stderr is not None
            last = process.stderr.read().decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"the Prefect server stopped at once: {' '.join(last)}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the Prefect server did not answer on port {port} within {SECONDS_TO_START:.0f} s")
        time.sleep(0.2)


def main(
    *,
    port: Annotated[int, typer.Option(help="Port of the API and the UI.")] = PORT,
    cron: Annotated[str, typer.Option(help="When the pipeline runs.")] = CRON,
    timezone: Annotated[str, typer.Option(help="The schedule's time zone.")] = "UTC",
) -> None:
    """Serve until Ctrl-C."""
    if is_healthy(port):
        sys.exit(f"a Prefect server already answers at http://{HOST}:{port}; open it, or choose another --port")
    with server(port) as address:
        os.environ["PREFECT_API_URL"] = address
        from prefect.schedules import Cron

        from flows.pipeline import pipeline

        print(f"Prefect UI: http://{HOST}:{port}   schedule: {cron} {timezone}   stop: Ctrl-C", flush=True)
        # A daemon that is restarted must find its schedule as it left it.
        pipeline.serve(name="nightly", schedule=Cron(cron, timezone=timezone), pause_on_shutdown=False)


if __name__ == "__main__":
    typer.run(main)
