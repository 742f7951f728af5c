"""The flow on a real Prefect server over a real DVC project: graph, states, failures, refusals."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from flows import TELEMETRY_OFF, stages, workspace
from flows.pipeline import pipeline, wanted_parameters

from .test_stages import assert_gone, wait_for

pytestmark = pytest.mark.pipeline


def task_states(state) -> dict[str, str]:
    """Names of the final states of a run's tasks."""
    run_id = state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])))
    return {run.name: run.state_name or "" for run in runs}


def run(*targets: str, force: bool = False):
    return pipeline(list(targets) or None, force=force, deploy_to=None, return_state=True)


def test_every_stage_runs_once_and_is_cached_after(project: Path, prefect_server: None):
    first = run()
    assert first.is_completed()
    assert set(task_states(first).values()) == {"Completed"}
    second = run()
    assert task_states(second) == dict.fromkeys(("first", "left", "right", "last"), "Cached")
    Path("right.order").write_text("sing")  # not a dependency: still cached
    Path("source.txt").write_text("changed")
    third = task_states(run("left"))
    assert third == {"first": "Completed", "left": "Cached"}  # first's output came out the same


def test_a_failing_stage_lets_its_sibling_finish_and_its_dependants_wait(project: Path, prefect_server: None):
    Path("left.order").write_text("fail")
    state = run()
    assert state.is_failed()
    assert "left: cannot do its work" in (state.message or "")
    assert "not run: last" in (state.message or "")
    states = task_states(state)
    assert states["right"] == "Completed"
    assert states["left"] == "Failed"
    assert states["last"] == "NotReady"
    assert Path("data/right/out.txt").exists()
    Path("left.order").unlink()
    mended = task_states(run())
    assert mended["first"] == mended["right"] == "Cached"
    assert mended["left"] == mended["last"] == "Completed"


def test_a_second_run_on_the_same_checkout_is_refused_with_its_reason(project: Path, prefect_server: None):
    with workspace.only_run(project):
        state = run()
    assert state.is_failed()
    assert "holds this checkout" in (state.message or "")


def test_only_stages_that_dvc_does_not_find_unchanged_start_a_process(
    project: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    really = stages.run_stage

    def watched(stage: str, **rest):
        asked.append(stage)
        return really(stage, **rest)

    monkeypatch.setattr(stages, "run_stage", watched)
    run()
    assert sorted(asked) == ["first", "last", "left", "right"]
    asked.clear()
    run()
    assert asked == []
    Path("data/left/out.txt").unlink()
    assert task_states(run())["left"] == "Cached"  # DVC brings it back from its cache
    assert sorted(asked) == ["last", "left"]
    assert Path("data/left/out.txt").read_text() == "left"
    asked.clear()
    run(force=True)
    assert sorted(asked) == ["first", "last", "left", "right"]


def test_changed_parameters_run_in_a_workspace_and_leave_the_checkout_alone(project: Path, prefect_server: None):
    run()
    before = {name: Path(name).read_bytes() for name in ("params.yaml", "dvc.lock", "data/right/out.txt")}
    state = pipeline(changes=["right.colour=blue"], deploy_to=None, return_state=True)
    states = task_states(state)
    assert states == {"first": "Cached", "left": "Cached", "right": "Completed", "last": "Completed"}
    assert {name: Path(name).read_bytes() for name in before} == before
    place = workspace.place({"right.colour": "blue"})
    assert (place / "data/right/out.txt").read_text() == "rightblue"
    again = task_states(pipeline(changes=["right.colour=blue"], deploy_to=None, return_state=True))
    assert set(again.values()) == {"Cached"}
    refused = pipeline(changes=["right.colours=blue"], deploy_to=None, return_state=True)
    assert refused.is_failed()
    assert "did you mean right.colour?" in (refused.message or "")


def test_the_short_ways_to_name_data_are_changes_too():
    wanted = wanted_parameters(["a.b=1"], source="s3://bucket/x", source_format="npz")
    assert wanted == {"a.b": 1, "ingest.source": "s3://bucket/x", "ingest.format": "npz"}
    assert wanted_parameters(None, source=None, source_format="") == {}
    with pytest.raises(ValueError, match=r"one change of ingest\.source"):
        wanted_parameters(["ingest.source=x"], source="y", source_format=None)


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL"])
def test_ending_the_flow_leaves_no_process_and_a_true_lock(project: Path, prefect_server: None, signal_name: str):
    import signal

    Path("left.order").write_text("sleep")
    command = [sys.executable, "-m", "flows.pipeline", "last", "--deploy-to", ""]
    environment = child_environment()
    flow = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pids = [int(pid) for pid in wait_for(project / "left.pids", 120).split()]
    children = [child.pid for child in psutil.Process(flow.pid).children(recursive=True)]
    flow.send_signal(getattr(signal, signal_name))
    assert flow.wait(60) != 0
    assert_gone([*pids, *children])
    lock = Path("dvc.lock").read_text()
    assert "first:" in lock
    assert "left:" not in lock
    Path("left.order").unlink()
    assert run().is_completed()


def child_environment() -> dict[str, str]:
    """This process's environment, with the test server's address, so that no second server starts."""
    import os

    from prefect.settings import get_current_settings

    root = str(Path(__file__).resolve().parents[2])
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return os.environ | settings | {"PYTHONPATH": root}


def test_telemetry_is_off_in_everything_that_is_started():
    import os

    from dvc.config import Config
    from prefect.settings import get_current_settings

    for name, value in TELEMETRY_OFF.items():
        assert os.environ[name] == value
    assert get_current_settings().server.analytics_enabled is False
    root = Path(__file__).resolve().parents[2]
    config = Config(dvc_dir=str(root / ".dvc"))
    assert config["core"]["analytics"] is False
    assert config["core"]["check_update"] is False
