"""The Prefect server dies under a run: `make serve` brings it back and the run goes on, or the run ends in one line."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Scheduled

from .servers import client, deployment, environment, eventually, run_states, serving
from .truth import STAGES, check_lock_is_true, check_nobody_stays, finished, make_slow

pytestmark = [pytest.mark.pipeline, pytest.mark.nightly, pytest.mark.timeout(3600)]
SIGNALS = ("SIGTERM", "SIGKILL")
KILLS = 12


@pytest.fixture
def slow_checkout(served_checkout: Path) -> Path:
    return make_slow(served_checkout)


def server_pid(serve: subprocess.Popen) -> int | None:
    """The server itself, below its guard; None between two servers."""
    for one in psutil.Process(serve.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            words = one.cmdline()
            if "server" in words and "start" in words and not any("guard.py" in word for word in words):
                return one.pid
    return None


def start_run(api: SyncPrefectClient) -> str:
    on_demand = deployment(api, "on-demand")
    parameters = {"deploy_to": ""}
    return str(api.create_flow_run_from_deployment(on_demand.id, state=Scheduled(), parameters=parameters).id)


def final_state(port: int, run: str) -> str:
    """How the run ended, once a server can say so."""

    def look() -> str | None:
        try:
            with client(port) as api:
                state = api.read_flow_run(run).state  # type: ignore[arg-type] - a string serves
        except httpx.TransportError:  # it is being started again
            return None
        return state.name if state is not None and state.is_final() else None

    return eventually(look, 300)


def test_a_server_killed_under_a_run_comes_back_and_the_run_goes_on(slow_checkout: Path):
    ends = []
    rng = random.Random(1)
    with serving(slow_checkout) as (serve, port):
        for number in range(KILLS):
            (slow_checkout / "source.txt").write_text(str(number))  # there is work to do
            with client(port) as api:
                run = start_run(api)
            before = eventually(lambda: server_pid(serve))
            under_way = number % 3 > 0
            if under_way:
                with client(port) as api:
                    eventually(lambda run=run, api=api: run_states(api)[UUID(run).hex] == "Running")
            time.sleep(rng.uniform(0.0, 8.0))  # while the run starts, works, or reports its end
            os.kill(before, getattr(signal, SIGNALS[number % 2]))
            ends.append(final_state(port, run))
            eventually(lambda pid=before: server_pid(serve) not in {None, pid})
            check_lock_is_true(slow_checkout)
            if under_way or ends[-1] == "Completed":
                assert ends[-1] == "Completed"
                assert finished(slow_checkout) == set(STAGES)
            else:  # it could not even begin without its server
                assert ends[-1] == "Crashed"
                with client(port) as api:
                    assert final_state(port, start_run(api)) == "Completed"
        with client(port) as api:
            assert [one.active for one in deployment(api, "nightly").schedules] == [True]
    print(ends)


def run_that_loses_its_server(checkout: Path) -> subprocess.Popen[str]:
    """A run in a terminal whose server is killed, with `make serve`, once its first stage has finished."""
    with serving(checkout) as (serve, _):
        run = subprocess.Popen(
            [sys.executable, "-m", "flows.pipeline", "--deploy-to", ""],
            cwd=checkout,
            env=environment(checkout),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        eventually(lambda: "first" in finished(checkout))
        serve.kill()
    return run


def test_a_server_gone_for_good_ends_a_run_in_one_line_and_keeps_what_was_finished(slow_checkout: Path):
    (slow_checkout / "source.txt").write_text("gone for good")
    run = run_that_loses_its_server(slow_checkout)
    said = run.communicate(timeout=900)[1]
    assert run.returncode == 1
    assert "the Prefect server went away" in said
    assert finished(slow_checkout) == set(STAGES)
    check_nobody_stays(slow_checkout)
    check_lock_is_true(slow_checkout)


def test_ctrl_c_ends_a_run_whose_server_is_gone(slow_checkout: Path):
    (slow_checkout / "source.txt").write_text("interrupted")
    run = run_that_loses_its_server(slow_checkout)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    run.communicate(timeout=60)  # Prefect alone would try to report for minutes
    assert run.returncode != 0
    assert "first" in finished(slow_checkout)
    check_nobody_stays(slow_checkout)
    check_lock_is_true(slow_checkout)
