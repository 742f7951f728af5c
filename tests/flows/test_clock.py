"""A wall clock that jumps by a day, forward and back, under everything that runs: stages, the flow, `make serve`."""

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL
from prefect.states import Scheduled

from flows import workspace

from .servers import client, deployment, environment, eventually, run_states, serving
from .test_faults import BARE
from .truth import STAGES, check_lock_is_true, finished

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("wall_clock.c")
DAY = 24 * 3600
JUMPS = {"forward": DAY, "back": -DAY}
WORK = """
import os, pathlib, sys, time
name, *needed = sys.argv[1:]
before = time.time()
jump = pathlib.Path("jump", name)
if jump.exists():  # in the midst of the stage
    jump.replace("clock")
pathlib.Path("seen", name).write_text(f"{before} {time.time()}")
out = pathlib.Path("data", name, "out.txt")
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(name + "".join(pathlib.Path(one).read_text() for one in needed))
"""
DVC_YAML = """
stages:
  first: {cmd: python work.py first source.txt, deps: [work.py, source.txt], outs: [data/first/out.txt]}
  left: {cmd: python work.py left data/first/out.txt, deps: [data/first/out.txt], outs: [data/left/out.txt]}
  right: {cmd: python work.py right data/first/out.txt, deps: [data/first/out.txt], outs: [data/right/out.txt]}
  last:
    cmd: python work.py last data/left/out.txt data/right/out.txt
    deps: [data/left/out.txt, data/right/out.txt]
    outs: [data/last/out.txt]
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The faked wall clock, as a library to preload. Debian's libfaketime also breaks sleeps on the monotonic clock."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    found = tmp_path_factory.mktemp("library") / "wall_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", found, SOURCE], check=True)
    return found


@pytest.fixture
def clock(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says by how much the clock is off, for every process that is started from here."""
    found = tmp_path / "clock"
    set_clock(found, 0)
    monkeypatch.setenv("WALL_CLOCK_OFFSET", str(found))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    return found


def set_clock(path: Path, seconds: int) -> None:
    """Let the clock be so many seconds off the real one, from now on."""
    beside = path.with_suffix(".new")
    beside.write_text(f"{seconds}")
    beside.replace(path)


@pytest.fixture
def checkout(project: Path, clock: Path) -> Path:
    for folder in ("jump", "seen"):
        (project / folder).mkdir()
    (project / "dvc.yaml").write_text(DVC_YAML)
    (project / "work.py").write_text(WORK)
    return project


def run(checkout: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env=environment(checkout, PYTHONPATH=str(ROOT), **(env or {})),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def ran(said: str) -> list[str]:
    return [line.split()[0] for line in said.splitlines() if line.endswith(" ran")]


def seen_jump(checkout: Path, stage: str) -> float:
    """By how much the clock moved within a stage, as the stage saw it, in seconds."""
    before, after = (checkout / "seen" / stage).read_text().split()
    return float(after) - float(before)


def jump_in(checkout: Path, stage: str, seconds: int) -> None:
    set_clock(checkout / "jump" / stage, seconds)


@pytest.mark.parametrize("jump", [pytest.param("forward", marks=pytest.mark.nightly), "back"])
def test_a_jump_in_or_between_stages_makes_nothing_stale_and_nothing_current(checkout: Path, jump: str):
    seconds = JUMPS[jump]
    jump_in(checkout, "left", seconds)
    assert ran(run(checkout, "-c", BARE)) == list(STAGES)  # the clock moves in the midst of it
    assert abs(seen_jump(checkout, "left") - seconds) < 600
    check_lock_is_true(checkout)
    assert ran(run(checkout, "-c", BARE)) == []
    (checkout / "source.txt").write_text("changed after the jump")
    set_clock(checkout / "clock", 0)  # it moves back between two runs
    jump_in(checkout, "right", seconds)
    assert ran(run(checkout, "-c", BARE)) == list(STAGES)
    assert finished(checkout) == set(STAGES)
    check_lock_is_true(checkout)
    for name in ("source.txt", "data/first/out.txt"):  # as if they had been written on the other side of the jump
        moment = time.time() + seconds
        os.utime(checkout / name, (moment, moment))
    assert ran(run(checkout, "-c", BARE)) == []


@pytest.mark.nightly
@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_under_the_flow_changes_nothing_that_it_does(checkout: Path, prefect_server: None, jump: str):
    api = {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    words = ("-m", "flows.pipeline", "--deploy-to", "")
    jump_in(checkout, "left", JUMPS[jump])
    assert "4 steps done, 0 of them cached" in run(checkout, *words, env=api)
    assert abs(seen_jump(checkout, "left") - JUMPS[jump]) < 600
    check_lock_is_true(checkout)
    assert "4 steps done, 4 of them cached" in run(checkout, *words, env=api)
    set_clock(checkout / "clock", 0)
    (checkout / "source.txt").write_text("changed")
    assert "4 steps done, 0 of them cached" in run(checkout, *words, env=api)
    assert finished(checkout) == set(STAGES)
    check_lock_is_true(checkout)


def test_after_a_jump_back_the_workspace_in_use_is_not_forgotten(tmp_path: Path):
    folders = [tmp_path / name for name in "abcd"]
    tomorrow = time.time() + DAY
    for number, folder in enumerate(folders):
        folder.mkdir()
        os.utime(folder, (tomorrow + number, tomorrow + number))
    current = tmp_path / "current"
    current.mkdir()
    with workspace.only_run(current):
        workspace._forget_oldest(current)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c", "current", "d"]


def test_nothing_here_reads_the_wall_clock():
    calls = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    sources = [path for room in ("flows", "tasks", "mintmark") for path in (ROOT / room).rglob("*.py")]
    assert len(sources) > 50
    found = [
        f"{path}:{node.lineno}"
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and any(ast.unparse(node).endswith(call) for call in calls)
    ]
    assert found == []


def in_an_hour(now: datetime) -> tuple[str, datetime]:
    """A daily schedule whose next time lies between one and two hours ahead, and that time."""
    at = (now + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    return f"0 {at.hour} * * *", at


@pytest.mark.nightly
def test_a_served_schedule_outlives_jumps_and_runs_what_it_missed_once(served_checkout: Path, clock: Path):
    cron, due = in_an_hour(datetime.now(UTC))
    with serving(served_checkout, "--cron", cron) as (_, port), client(port) as api:
        nightly, on_demand = deployment(api, "nightly").id, deployment(api, "on-demand").id

        def nights() -> list[Any]:
            return sorted((one for one in api.read_flow_runs() if one.deployment_id == nightly), key=_expected)

        def started() -> list[Any]:
            return [one for one in nights() if one.state_name not in {"Scheduled", "Late"}]

        eventually(nights)
        assert _expected(nights()[0]) == due
        set_clock(clock, -DAY)
        asked = api.create_flow_run_from_deployment(
            on_demand, state=Scheduled(scheduled_time=datetime.now(UTC) - timedelta(days=2))
        )
        eventually(lambda: api.read_flow_run(asked.id).state_name == "Completed", 300)  # it still serves
        assert started() == []
        set_clock(clock, DAY)  # past one time of the schedule
        eventually(lambda: [one.state_name for one in started()] == ["Completed"], 300)
        assert _expected(started()[0]) == due
        time.sleep(60)  # longer than the scheduler's and the runner's rounds
        assert len(started()) == 1
        ahead = [_expected(one) for one in nights() if one.state_name == "Scheduled"]
        assert ahead[0] == due + timedelta(days=1)
        print(json.dumps({"runs": run_states(api), "ahead": [str(one) for one in ahead]}))


def _expected(run: Any) -> datetime:
    return run.expected_start_time
