"""DVC's read and write locks after a kill: a zombie's entry, a file cut short, and what living processes hold."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.dvc_locks import release_dead
from flows.stages import run_stage

RWLOCK = Path(".dvc/tmp/rwlock")


@pytest.fixture
def zombie() -> Iterator[int]:
    """A process that was killed and that nobody has waited for."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os.kill(process.pid, signal.SIGKILL)
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    yield process.pid
    process.wait()


def info(pid: int) -> dict:
    return {"pid": pid, "cmd": "dvc repro"}


def test_a_zombie_blocks_a_stage_until_its_entry_is_dropped(project: Path, zombie: int):
    held = str(project / "data/first/out.txt")
    RWLOCK.write_text(json.dumps({"write": {held: info(zombie)}, "read": {}}))
    blocked = run_stage("first", force=False, on_line=lambda _: None)
    assert blocked.exit_code != 0  # the trap is still there: DVC takes a zombie for a living process
    assert any("is busy" in line or "rwlock" in line for line in blocked.last_lines)
    release_dead()
    assert run_stage("first", force=False, on_line=lambda _: None).exit_code == 0


def test_a_file_cut_short_blocks_every_stage_until_it_is_removed(project: Path):
    RWLOCK.write_text('{"write": {"some')
    assert run_stage("first", force=False, on_line=lambda _: None).exit_code != 0
    release_dead()
    assert run_stage("first", force=False, on_line=lambda _: None).exit_code == 0


def test_what_a_living_process_holds_stays(project: Path, zombie: int):
    mine = info(os.getpid())
    RWLOCK.write_text(
        json.dumps(
            {"write": {"/a": mine, "/b": info(zombie)}, "read": {"/c": [info(zombie), mine], "/d": [info(zombie)]}}
        )
    )
    release_dead()
    assert json.loads(RWLOCK.read_text()) == {"write": {"/a": mine}, "read": {"/c": [mine]}}


def test_there_may_be_nothing_to_release(project: Path):
    RWLOCK.unlink(missing_ok=True)
    release_dead()
    assert not RWLOCK.exists()
