"""The pipeline as a Prefect flow: dvc.yaml's graph, one task a stage.

States no order of its own: the graph comes from DVC. Caches nothing: a stage that DVC found unchanged ends as `Cached`.
A refused release is a run that completed, in a state named `Refused`.

    python -m flows.pipeline                            everything, then deploy
    python -m flows.pipeline audit cluster              these stages and what they need
    python -m flows.pipeline --force                    run every stage again
    python -m flows.pipeline --set train_gan.steps=900  with another parameter, in a workspace of its own
    python -m flows.pipeline --preset scarce            with the parameters of presets/scarce.yaml, likewise
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from ruamel.yaml import YAML

from flows import artifacts, gpus, overrides, report_server, server, stages, workspace
from flows.deploy import Outcome, deploy
from flows.dvc_locks import release_dead
from flows.graph import stage_graph, up_to_date, wanted_order
from flows.patience import try_again_from_the_first_call

DATA_DIR = Path("data")
DEPLOY_DIR = "data/deploy"
MAX_PARALLEL_STAGES = 4
SECONDS_TO_REPORT = 10.0
INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended
RUNNER: Any = ThreadPoolTaskRunner(max_workers=MAX_PARALLEL_STAGES)  # its futures are narrower than flow() asks for


@task(name="stage", task_run_name="{stage}", cache_policy=NO_CACHE, persist_result=False)
def run_stage(stage: str, *, force: bool) -> State[Any]:
    """Bring one stage up to date; `Cached` when DVC found nothing to do."""
    logger = get_run_logger()
    progress = artifacts.Progress(stage)

    def relay(line: str) -> None:
        logger.info(line)
        progress.see(line)

    with gpus.slot(stage) as environment:
        outcome = stages.run_stage(stage, force=force, on_line=relay, environment=environment)
    if outcome.exit_code != 0:
        return Failed(message=f"{stage} failed (exit code {outcome.exit_code}): {' | '.join(outcome.last_lines)}")
    artifacts.publish(stage, DATA_DIR / stage.partition("@")[0])
    return Completed(message=f"{stage} ran") if outcome.ran else _cached(stage)


@task(name="stage", task_run_name="{stage}", cache_policy=NO_CACHE, persist_result=False)
def show_stage(stage: str) -> State[Any]:
    """Show what a stage wrote that DVC has already found unchanged."""
    artifacts.publish(stage, DATA_DIR / stage.partition("@")[0])
    return _cached(stage)


def _cached(stage: str) -> State[Any]:
    return Completed(name="Cached", message=f"{stage}: nothing changed")


@task(name="deploy", task_run_name="deploy", cache_policy=NO_CACHE, persist_result=False)
def run_deploy(target: str) -> Outcome:
    """Publish the released bundle, if there is one."""
    outcome = deploy(DATA_DIR / "release" / "bundle", target)
    get_run_logger().info("deploy: %s", outcome.message)
    return outcome


@flow(
    name="mintmark",
    task_runner=RUNNER,
    persist_result=False,
    validate_parameters=True,
)
def pipeline(
    targets: list[str] | None = None,
    *,
    force: bool = False,
    preset: str | None = None,
    changes: list[str] | None = None,
    source: str | None = None,
    source_format: str | None = None,
    deploy_to: str | None = DEPLOY_DIR,
) -> State[Any]:
    """Bring the stages up to date, then publish what the verdict allows.

    Args:
        targets: Stages to bring up to date, with all that they need; every stage and deploy where none is named.
        force: Run every stage again, changed or not.
        preset: A file of presets/, by its name, whose parameters this run alone takes. The run then works in a workspace
            of its own, under .dvc/tmp/workspaces, and leaves this checkout's params.yaml, dvc.lock and data as they are.
        changes: Parameters for this run alone, such as `train_gan.steps=5000`, likewise; they go before the preset's.
        source: Other data for this run alone: a path, http(s):// or s3:// (short for a change of `ingest.source`).
        source_format: The form of these data (short for a change of `ingest.format`).
        deploy_to: A folder (a relative one lies where the run works) or `s3://bucket/prefix`; nothing is published
            where it is empty.
    """
    _end_with_runner()
    if PREFECT_API_URL.value():
        try_again_from_the_first_call()
    wanted = wanted_parameters(changes, preset=preset, source=source, source_format=source_format)
    there = server.running()
    with workspace.changed(wanted) if wanted else workspace.only_run(Path()):
        release_dead()
        graph = stage_graph()
        order = wanted_order(graph, targets or [])
        current = set[str]() if force else up_to_date(graph)
        futures: dict[str, PrefectFuture[Any]] = {}
        stages.allow_starts()
        try:
            for stage in order:
                upstream = [futures[needed] for needed in graph.predecessors(stage)]
                if stage in current:
                    futures[stage] = show_stage.with_options(name=stage).submit(
                        stage, wait_for=upstream, return_state=False
                    )
                else:
                    futures[stage] = run_stage.with_options(name=stage).submit(
                        stage, force=force, wait_for=upstream, return_state=False
                    )
            if deploy_to and "release" in futures:
                futures["deploy"] = run_deploy.submit(deploy_to, wait_for=[futures["release"]], return_state=False)
            wait(list(futures.values()))
        except BaseException:  # a cancelled run too: its threads would wait for their stages for ever
            stages.stop_all()
            raise
        states = {name: future.state for name, future in futures.items()}
        artifacts.summarise(states, DATA_DIR, reports=there and report_server.address(there.reports, Path.cwd()))
        return _final_state(states)


def _end_with_runner() -> None:
    """Where a runner or a worker started this process, end with it: nobody else could cancel what it left behind."""
    runner = os.getppid()

    def watch() -> None:
        while os.getppid() == runner:
            time.sleep(1.0)
        stages.stop_all()
        os.kill(os.getpid(), signal.SIGTERM)  # as a cancel does: Prefect raises it in the flow, which reports its end
        time.sleep(SECONDS_TO_REPORT)
        os._exit(1)  # there may be no server left to report to

    if "PREFECT__FLOW_RUN_ID" in os.environ:
        threading.Thread(target=watch, daemon=True).start()


def wanted_parameters(
    changes: list[str] | None,
    *,
    preset: str | None = None,
    source: str | None = None,
    source_format: str | None = None,
) -> dict[str, Any]:
    """What a run changes of params.yaml: dotted key -> value; empty where nothing.

    Raises:
        ValueError: a change is not `section.key=value`, or is asked for twice, or there is no such preset.
    """
    short = {"ingest.source": source, "ingest.format": source_format}
    named = {key: value for key, value in short.items() if value}
    wanted = overrides.parse(changes or [])
    twice = sorted(set(named) & set(wanted))
    if twice:
        raise ValueError(f"expected one change of {twice[0]}, got two")
    return (overrides.preset(preset) if preset else {}) | wanted | named


def _final_state(states: dict[str, State[Any]]) -> State[Any]:
    failed = {name: state.message for name, state in states.items() if state.is_failed() or state.is_crashed()}
    if failed:
        not_run = [name for name, state in states.items() if not state.is_final()]
        after = f"; not run: {', '.join(not_run)}" if not_run else ""
        return Failed(message="; ".join(str(message) for message in failed.values()) + after)
    cached = sum(state.name == "Cached" for state in states.values())
    refused = artifacts.refusal(DATA_DIR) if "release" in states else None
    if refused:
        return Completed(name="Refused", message=refused)
    return Completed(message=f"{len(states)} steps done, {cached} of them cached")


def _local_server() -> dict[Any, Any]:
    """The server that `make serve` runs, where no other is configured; else Prefect starts one for the run alone."""
    there = None if PREFECT_API_URL.value() else server.running()
    return {} if there is None else {PREFECT_API_URL: server.api_url(there.port)}


def _leave_soon_when_interrupted() -> None:
    """Let Ctrl-C end this process soon, though Prefect goes on trying to report to a server that is gone."""

    def leave() -> None:
        stages.stop_all()
        os._exit(INTERRUPTED)

    def interrupt(*_: object) -> None:
        timer = threading.Timer(SECONDS_TO_REPORT, leave)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


def main(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages to bring up to date, with all they need.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Run every stage again, changed or not.")] = False,
    preset: Annotated[str | None, typer.Option(help="A file of presets/, by its name, for this run alone.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter for this run alone, as section.key=value; may be given again."),
    ] = None,
    deploy_to: Annotated[
        str, typer.Option(help="A folder or s3://bucket/prefix; empty publishes nothing.")
    ] = DEPLOY_DIR,
) -> None:
    """Run the pipeline here and say how it ended."""
    if not Path("dvc.yaml").is_file():
        sys.exit(f"{Path.cwd()}: expected dvc.yaml, found none; run this in a checkout of Mintmark")
    try:
        wanted = wanted_parameters(changes, preset=preset)
        if wanted:
            overrides.apply(YAML().load(Path("params.yaml")), wanted)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{'--set' if changes else '--preset'}: {error}")
    _leave_soon_when_interrupted()
    try:
        with temporary_settings(_local_server()):
            state = pipeline(
                targets,
                force=force,
                preset=preset,
                changes=changes,
                deploy_to=deploy_to or None,
                return_state=True,
            )
    except httpx.TransportError as error:
        sys.exit(f"the Prefect server went away ({error}); finished stages are kept: type the same again")
    folder = workspace.place(wanted) if wanted else Path()
    artifacts.say_end(state, folder / DATA_DIR)
    if not state.is_completed():
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
