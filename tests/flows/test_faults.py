"""Kills at random moments: whatever dies, no process stays, dvc.lock is true, and no finished stage is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from prefect.settings import PREFECT_API_URL

from .servers import environment
from .truth import STAGES, check_lock_is_true, check_nobody_stays, finished, here, make_slow, md5, rows

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(3600)]
ROOT = Path(__file__).resolve().parents[2]
SIGNALS = ("SIGTERM", "SIGKILL")
BARE = f"""
import sys
from flows import stages
from flows.dvc_locks import release_dead
release_dead()
for stage in {STAGES!r}:
    outcome = stages.run_stage(stage, force=False, on_line=lambda line: None)
    print(stage, "ran" if outcome.ran else "Cached", flush=True)
    if outcome.exit_code:
        sys.exit("\\n".join(outcome.last_lines))
"""


class Killed(NamedTuple):
    victim: str
    signal: str
    after: float


@pytest.fixture
def checkout(project: Path) -> Path:
    return make_slow(project)


def start(checkout: Path, *words: str) -> subprocess.Popen[str]:
    api = environment(checkout, PYTHONPATH=str(ROOT), PREFECT_API_URL=str(PREFECT_API_URL.value() or ""))
    return subprocess.Popen(
        [sys.executable, *words], cwd=checkout, env=api, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def victim_of(checkout: Path, run: subprocess.Popen[str], kind: str) -> int | None:
    """The process to be killed now; None where there is none of the kind."""
    if kind == "flow":
        return run.pid
    mark = "work.py" if kind == "stage" else "--single-item"
    for process in here(checkout):
        try:
            words = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if any(mark in word for word in words) and not any("guard.py" in word for word in words):
            return process.pid
    return None


def kill_once(checkout: Path, words: tuple[str, ...], kind: str, rng: random.Random, *, within: float) -> Killed | None:
    """Start a run with work to do and kill one of its processes at a random moment; None where that came too late."""
    (checkout / "source.txt").write_text(str(rng.random()))
    moment, name = rng.uniform(0.3, within), rng.choice(SIGNALS)
    run = start(checkout, *words)
    deadline = time.monotonic() + moment
    time.sleep(moment)
    pid = victim_of(checkout, run, kind)
    while pid is None and run.poll() is None and time.monotonic() < deadline + 1:
        time.sleep(0.01)
        pid = victim_of(checkout, run, kind)
    killed = None
    if pid is not None and run.poll() is None:
        try:
            os.kill(pid, getattr(signal, name))
            killed = Killed(kind, name, moment)
        except ProcessLookupError:
            pass
    run.communicate(timeout=120)
    return killed


def kill_often(
    checkout: Path, words: tuple[str, ...], kinds: tuple[str, ...], *, count: int, seed: int
) -> list[Killed]:
    rng, kills, tries = random.Random(seed), list[Killed](), 0
    while len(kills) < count:
        tries += 1
        assert tries < 5 * count + 10, "too few runs were caught alive"
        killed = kill_once(checkout, words, kinds[tries % len(kinds)], rng, within=4.0)
        if killed is None:
            continue
        kills.append(killed)
        try:
            check_nobody_stays(checkout)
            check_lock_is_true(checkout)
            done = finished(checkout)
            again = start(checkout, "-c", BARE)
            said = again.communicate(timeout=120)[0]
            assert again.returncode == 0, said
            ran = {line.split()[0] for line in said.splitlines() if line.endswith(" ran")}
            assert not ran & done, f"lost: {ran & done}"
            assert finished(checkout) == set(STAGES)
            check_lock_is_true(checkout)
        except AssertionError as error:
            raise AssertionError(f"after {killed}, seed {seed}, kill {len(kills)}: {error}") from error
    tally = {f"{kind} {name}": sum(k[:2] == (kind, name) for k in kills) for kind in kinds for name in SIGNALS}
    print(json.dumps(tally))
    return kills


@pytest.mark.parametrize("count", [3, pytest.param(75, marks=pytest.mark.nightly)])
def test_a_killed_stage_dvc_or_runner_leaves_nothing_false(checkout: Path, count: int):
    kills = kill_often(checkout, ("-c", BARE), ("stage", "dvc", "flow"), count=count, seed=count)
    assert len(kills) == count


@pytest.mark.nightly
def test_a_killed_flow_leaves_nothing_false(checkout: Path, prefect_server: None):
    words = ("-m", "flows.pipeline", "--deploy-to", "")
    assert len(kill_often(checkout, words, ("stage", "dvc", "flow"), count=30, seed=1)) == 30


@pytest.mark.parametrize("loops", [2, pytest.param(50, marks=pytest.mark.nightly)])
def test_eight_stages_at_once_fail_never(project: Path, loops: int):
    names = [f"part{number}" for number in range(8)]
    stages = {
        name: {"cmd": f"python work.py {name}", "deps": ["source.txt"], "outs": [f"data/{name}/out.txt"]}
        for name in names
    }
    (project / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    script = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from flows import stages
with ThreadPoolExecutor(8) as pool:
    ends = list(pool.map(lambda one: stages.run_stage(one, force=False, on_line=lambda line: None), {names!r}))
sys.exit("\\n".join(str(end) for end in ends if end.exit_code or not end.ran) or 0)
"""
    for loop in range(loops):
        (project / "source.txt").write_text(str(loop))
        run = start(project, "-c", script)
        said = run.communicate(timeout=300)[0]
        assert run.returncode == 0, f"loop {loop}: {said}"
        source = {row["deps"][0]["md5"] for row in rows(project).values()}
        assert source == {md5(project / "source.txt")}
        assert set(rows(project)) == set(names)
