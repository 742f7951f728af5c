"""The pipeline as a Prefect flow: dvc.yaml's graph, one task a stage.

States no order of its own: the graph comes from DVC. Caches nothing: a stage that DVC found unchanged ends as `Cached`.
A refused release is a run that completed, in a state named `Refused`.

    python -m flows.pipeline                     everything, then deploy
    python -m flows.pipeline audit cluster       these stages and what they need
    python -m flows.pipeline --force             run every stage again
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import networkx as nx
import typer
from dvc.repo import Repo
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows import artifacts, serve, stages
from flows.deploy import Outcome, deploy

DATA_DIR = Path("data")
DEPLOY_DIR = "data/deploy"
LOCK = Path(".dvc/tmp/mintmark.lock")
MAX_PARALLEL_STAGES = 4
RUNNER: Any = ThreadPoolTaskRunner(max_workers=MAX_PARALLEL_STAGES)  # its futures are narrower than flow() asks for


def stage_graph() -> nx.DiGraph:
    """The stages of the dvc.yaml in this folder, an edge from each stage to every stage that needs it."""
    with Repo() as repo:
        graph = nx.DiGraph()
        graph.add_nodes_from(stage.addressing for stage in repo.index.graph)
        graph.add_edges_from((needed.addressing, stage.addressing) for stage, needed in repo.index.graph.edges)
    return graph


def wanted_order(graph: nx.DiGraph, targets: list[str]) -> list[str]:
    """The targets and all that they need, in an order that respects the graph; every stage where there is no target.

    Raises:
        ValueError: a target is not a stage.
    """
    unknown = sorted(set(targets) - set(graph))
    if unknown:
        raise ValueError(f"stages must be among {list(nx.lexicographical_topological_sort(graph))}, got {unknown}")
    wanted = set(graph) if not targets else set(targets).union(*(nx.ancestors(graph, target) for target in targets))
    return list(nx.lexicographical_topological_sort(graph.subgraph(wanted)))


@task(name="stage", task_run_name="{stage}", cache_policy=NO_CACHE, persist_result=False)
def run_stage(stage: str, *, force: bool) -> State[Any]:
    """Bring one stage up to date; `Cached` when DVC found nothing to do."""
    logger = get_run_logger()
    progress = artifacts.Progress(stage)

    def relay(line: str) -> None:
        logger.info(line)
        progress.see(line)

    outcome = stages.run_stage(stage, force=force, on_line=relay)
    if outcome.exit_code != 0:
        return Failed(message=f"{stage} failed (exit code {outcome.exit_code}): {' | '.join(outcome.last_lines)}")
    artifacts.publish(stage, DATA_DIR / stage.partition("@")[0])
    if outcome.ran:
        return Completed(message=f"{stage} ran")
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
    targets: list[str] | None = None, *, force: bool = False, deploy_to: str | None = DEPLOY_DIR
) -> State[Any]:
    """Bring the stages up to date, then publish what the verdict allows.

    Args:
        targets: Stages to bring up to date, with all that they need; every stage and deploy where none is named.
        force: Run every stage again, changed or not.
        deploy_to: A folder or `s3://bucket/prefix`; nothing is published where it is empty.
    """
    graph = stage_graph()
    order = wanted_order(graph, targets or [])
    futures: dict[str, PrefectFuture[Any]] = {}
    stages.allow_starts()
    with _only_run_here():
        try:
            for stage in order:
                upstream = [futures[needed] for needed in graph.predecessors(stage)]
                futures[stage] = run_stage.with_options(name=stage).submit(
                    stage, force=force, wait_for=upstream, return_state=False
                )
            if deploy_to and "release" in futures:
                futures["deploy"] = run_deploy.submit(deploy_to, wait_for=[futures["release"]], return_state=False)
            wait(list(futures.values()))
        except BaseException:  # a cancelled run too: its threads would wait for their stages for ever
            stages.stop_all()
            raise
    return _final_state({stage: future.state for stage, future in futures.items()})


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


@contextmanager
def _only_run_here() -> Iterator[None]:
    """Hold this checkout: two runs at once would build the same files.

    Raises:
        RuntimeError: another run holds it.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise RuntimeError(
                f"another run (process {lock.read().strip()}) holds this checkout; wait for it"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _local_server() -> dict[Any, Any]:
    """The server that `make serve` runs, where no other is configured; else Prefect starts one for the run alone."""
    if PREFECT_API_URL.value() or not serve.is_healthy(serve.PORT):
        return {}
    return {PREFECT_API_URL: serve.api_url(serve.PORT)}


def main(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages to bring up to date, with all they need.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Run every stage again, changed or not.")] = False,
    deploy_to: Annotated[
        str, typer.Option(help="A folder or s3://bucket/prefix; empty publishes nothing.")
    ] = DEPLOY_DIR,
) -> None:
    """Run the pipeline here and say how it ended."""
    if not Path("dvc.yaml").is_file():
        sys.exit(f"{Path.cwd()}: expected dvc.yaml, found none; run this in a checkout of Mintmark")
    with temporary_settings(_local_server()):
        state = pipeline(targets, force=force, deploy_to=deploy_to or None, return_state=True)
    artifacts.say_end(state, DATA_DIR)
    if not state.is_completed():
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
