"""The local server, and the deployments of prefect.yaml served from this checkout: what `make serve` starts.

python -m flows.serve                    server, UI and schedules, until Ctrl-C
python -m flows.serve --port 4300        on another port
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from ruamel.yaml import YAML

from flows.lock import Held, only_holder
from flows.report_server import report_server
from flows.server import PORT, Running, recorded, running, server, ui_url

DEPLOYMENTS = Path("prefect.yaml")
LOCK = Path(".dvc/tmp/serve.lock")
SECONDS_TO_STOP = 30.0


def deployments(*, cron: str | None = None, timezone: str | None = None) -> list[dict[str, Any]]:
    """The deployments that prefect.yaml describes; every schedule of theirs with this cron or time zone, where given.

    Raises:
        ValueError: prefect.yaml describes none.
    """
    described = (YAML(typ="safe").load(DEPLOYMENTS) or {}).get("deployments") or []
    if not described:
        raise ValueError(f"{DEPLOYMENTS}: expected deployments, found none")
    wanted = {"cron": cron, "timezone": timezone}
    given = {key: value for key, value in wanted.items() if value is not None}
    for deployment in described:
        deployment["schedules"] = [schedule | given for schedule in deployment.get("schedules") or []]
    return described


def schedules_in_words(described: list[dict[str, Any]]) -> str:
    """One line that says what is served, and when it runs."""
    times = {
        one["name"]: [f"{at['cron']} ({at.get('timezone', 'UTC')})" for at in one["schedules"]] for one in described
    }
    return "; ".join(f"{name}: {', '.join(when) or 'on demand'}" for name, when in times.items())


def serve(described: list[dict[str, Any]]) -> None:
    """Serve these deployments to the configured API until Ctrl-C or SIGTERM; a run under way is then ended too."""
    import prefect
    from prefect.schedules import Cron

    from flows.pipeline import pipeline

    served: list[Any] = [  # to_deployment says that it may be a coroutine; in a thread without a loop it is not
        pipeline.to_deployment(
            name=one["name"],
            description=one.get("description"),
            parameters=one.get("parameters") or {},
            tags=one.get("tags") or [],
            schedules=[Cron(at["cron"], timezone=at.get("timezone", "UTC")) for at in one["schedules"]],
        )
        for one in described
    ]
    # On Ctrl-C Prefect's runner may wait for its runs; on SIGTERM it cancels them.
    signal.signal(signal.SIGINT, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        # A daemon that is restarted must find its schedules as it left them. One run at a time: they share a checkout.
        prefect.serve(*served, pause_on_shutdown=False, print_starting_message=False, limit=1)
    finally:
        _end_runs()


def _end_runs() -> None:
    """End the runs that this process started, before their server goes, so that it hears how they ended."""
    mine = os.getpgrp()
    runs = [child for child in psutil.Process().children() if os.getpgid(child.pid) == mine]
    for run in runs:
        run.terminate()
    _, alive = psutil.wait_procs(runs, timeout=SECONDS_TO_STOP)
    for run in alive:
        run.kill()


def _already_served(holder: str) -> str:
    there = running()
    where = ui_url(there.port) if there else "it is still starting"
    return f"already served here by process {holder}: {where}"


def main(
    *,
    port: Annotated[int, typer.Option(help="Port of the API and the UI.")] = PORT,
    report_port: Annotated[int | None, typer.Option(help="Port of the released reports; the next one if none.")] = None,
    cron: Annotated[str | None, typer.Option(help="When the pipeline runs, in place of prefect.yaml's cron.")] = None,
    timezone: Annotated[str | None, typer.Option(help="The schedule's time zone, in place of prefect.yaml's.")] = None,
) -> None:
    """Serve until Ctrl-C."""
    try:
        described = deployments(cron=cron, timezone=timezone)
        with (
            only_holder(LOCK),
            report_server(Path(), port + 1 if report_port is None else report_port) as reports,
            server(port) as api,
            recorded(Running(port=port, reports=reports)),
        ):
            os.environ["PREFECT_API_URL"] = api
            print(f"Prefect UI: {ui_url(port)}   {schedules_in_words(described)}   stop: Ctrl-C", flush=True)
            serve(described)
    except Held as error:
        sys.exit(f"serve: {_already_served(error.holder)}")
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        sys.exit(f"serve: {error}")


if __name__ == "__main__":
    typer.run(main)
