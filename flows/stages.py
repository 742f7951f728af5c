"""Run one stage under DVC: live lines, whether DVC found work to do, and no process left behind.

Each stage is `dvc repro --single-item` in a process group of its own. DVC alone decides whether a stage is stale and
alone writes dvc.lock. Knows nothing of Prefect.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from flows.full_disk import full_disks
from flows.restored import discard_damaged

GUARD = Path(__file__).with_name("guard.py")
DVC = Path(__file__).with_name("whole_dvc.py")
PROGRESS_LINE = re.compile(r"^progress (?P<label>\S+) (?P<done>\d+)/(?P<total>\d+)$")
RUNNING_LINE = re.compile(r"^Running stage '")
RESTORED_LINE = re.compile(r"^Stage '.*' is cached - skipping run, checking out outputs")
NOISE = re.compile(r"^(Use `dvc push`|To track the changes|To enable auto staging|\s*git add |\s*dvc config )|^\s*$")
LAST_LINES = 5

_groups: set[int] = set()
_groups_lock = threading.Lock()
_stopped = threading.Event()


class StageRun(NamedTuple):
    """How one stage ended.

    Attributes:
        exit_code: DVC's; 0 when the stage is up to date now.
        ran: Whether DVC found work to do.
        last_lines: The end of its log, for a message.
    """

    exit_code: int
    ran: bool
    last_lines: tuple[str, ...]


def run_stage(
    stage: str, *, force: bool, on_line: Callable[[str], None], environment: Mapping[str, str] | None = None
) -> StageRun:
    """Bring one stage up to date in the current folder, handing every line of its log to `on_line` as it comes.

    Args:
        stage: Its address in dvc.yaml.
        force: Whether it runs although nothing changed.
        on_line: Called with each line, without its end.
        environment: What its environment holds beyond this process's.
    """
    command = [sys.executable, "-P", str(DVC), "--wait-for-lock", "repro", "--single-item", stage]
    restored = False

    def relay(line: str) -> None:
        nonlocal restored
        restored = restored or RESTORED_LINE.search(line) is not None
        on_line(line)

    more = environment or {}
    outcome = _run([*command, "--force"] if force else command, relay, more)
    damaged = discard_damaged(stage) if restored and outcome.exit_code == 0 else []
    if not damaged:
        return outcome
    on_line(
        f"the cache held other bytes than dvc.lock names: {', '.join(damaged)}; they were removed, and {stage} runs"
    )
    return _run([*command, "--force"], on_line, more)  # DVC has already noted the damaged result as the stage's own


def _run(command: list[str], on_line: Callable[[str], None], environment: Mapping[str, str]) -> StageRun:
    ran, last_lines = False, []
    with _process_group(command, environment) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.rstrip()
            if NOISE.search(line):
                continue
            ran = ran or RUNNING_LINE.search(line) is not None
            if not PROGRESS_LINE.match(line):
                last_lines = [*last_lines, line][-LAST_LINES:]
            on_line(line)
        exit_code = process.wait()
    if exit_code:
        for words in full_disks():
            on_line(words)
            last_lines.append(words)
    return StageRun(exit_code, ran, tuple(last_lines))


def allow_starts() -> None:
    """Let stages start again after `stop_all`."""
    _stopped.clear()


def stop_all() -> None:
    """End every stage that is running, with all its processes, and let none start.

    DVC records nothing for a stage that was ended, so dvc.lock stays true.
    """
    _stopped.set()
    with _groups_lock:
        for group in _groups:
            _kill(group)


@contextmanager
def _process_group(command: list[str], more: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start a command under the guard, leading a group of its own; the group is gone when the block ends.

    Raises:
        RuntimeError: the run has been stopped.
    """
    if _stopped.is_set():
        raise RuntimeError("the run was stopped before this stage began")
    ours = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",  # lines reach the log as they are written
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(GUARD), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **ours, **more},
        start_new_session=True,
    )
    with _groups_lock:
        _groups.add(process.pid)
    try:
        yield process
    finally:
        _kill(process.pid)
        with _groups_lock:
            _groups.discard(process.pid)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
