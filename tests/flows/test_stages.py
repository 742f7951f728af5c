"""One stage under DVC, for real: its lines, what DVC decided, and the end of every process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML

from flows import stages

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _fresh_start():
    stages.allow_starts()


def run(stage: str, *, force: bool = False) -> tuple[stages.StageRun, list[str]]:
    lines: list[str] = []
    return stages.run_stage(stage, force=force, on_line=lines.append), lines


def test_a_stage_runs_once_and_is_then_found_unchanged(project: Path):
    outcome, lines = run("first")
    assert outcome.exit_code == 0
    assert outcome.ran
    assert "hello from first" in lines
    again, lines = run("first")
    assert again.exit_code == 0
    assert not again.ran
    assert "hello from first" not in lines


def test_force_runs_an_unchanged_stage(project: Path):
    run("first")
    outcome, lines = run("first", force=True)
    assert outcome.ran
    assert "hello from first" in lines


def test_a_failing_stage_ends_with_its_own_last_words(project: Path):
    Path("first.order").write_text("fail")
    outcome, _ = run("first")
    assert outcome.exit_code != 0
    assert any("first: cannot do its work" in line for line in outcome.last_lines)
    assert not Path("dvc.lock").exists()


def wait_for(path: Path, seconds: float = 60.0) -> str:
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} never appeared"
        time.sleep(0.05)
    return path.read_text()


def assert_gone(pids: list[int], seconds: float = 20.0) -> None:
    """The processes end, and whoever adopted them buries them: DVC takes a zombie for the living."""
    deadline = time.monotonic() + seconds
    while (alive := [pid for pid in pids if psutil.pid_exists(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive


def test_stopping_ends_the_stage_and_its_children_and_no_other_starts(project: Path):
    import threading

    Path("first.order").write_text("sleep")
    outcomes: list[stages.StageRun] = []
    thread = threading.Thread(target=lambda: outcomes.append(run("first")[0]))
    thread.start()
    pids = [int(pid) for pid in wait_for(project / "first.pids").split()]
    stages.stop_all()
    thread.join(30)
    assert outcomes[0].exit_code != 0
    assert_gone(pids)
    assert not Path("dvc.lock").exists()
    with pytest.raises(RuntimeError, match="the run was stopped"):
        run("left")


def test_killing_the_starter_outright_leaves_no_orphan_and_a_true_lock(project: Path):
    Path("first.order").write_text("sleep")
    code = "from flows import stages; stages.run_stage('first', force=False, on_line=print)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    starter = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=project, stdout=subprocess.DEVNULL)
    pids = [int(pid) for pid in wait_for(project / "first.pids").split()]
    descendants = [child.pid for child in psutil.Process(starter.pid).children(recursive=True)]
    assert set(pids) < set(descendants)
    starter.kill()
    starter.wait()
    assert_gone(descendants)
    assert not Path("dvc.lock").exists()
    Path("first.order").unlink()
    outcome, _ = run("first")
    assert outcome.exit_code == 0
    recorded = YAML(typ="safe").load(Path("dvc.lock").read_text())
    assert list(recorded["stages"]) == ["first"]
