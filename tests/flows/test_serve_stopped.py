"""`make serve`, stopped by Ctrl-C or by force while a run is under way."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from prefect.states import Cancelling, Scheduled

from .servers import client, deployment, eventually, family, serving

pytestmark = [pytest.mark.pipeline, pytest.mark.nightly]
ATTEMPTS = 5


@pytest.mark.parametrize("attempt", range(ATTEMPTS))
@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_stopping_it_stops_a_run_too_and_leaves_its_schedule_on(served_checkout: Path, signal_name: str, attempt: int):
    (served_checkout / "source.txt").write_text(f"{signal_name} {attempt}")  # there is work to do
    (served_checkout / "first.order").write_text("sleep")
    (served_checkout / "first.pids").unlink(missing_ok=True)
    with serving(served_checkout) as (process, port):
        with client(port) as api:
            on_demand = deployment(api, "on-demand")
            api.create_flow_run_from_deployment(on_demand.id, state=Scheduled())
        eventually((served_checkout / "first.pids").exists)
        whole = family(process)
        assert len(whole) > 5  # the server and its guard, the run, dvc and the stage
        if signal_name == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        else:
            process.send_signal(getattr(signal, signal_name))
        process.wait(60)
        _, alive = psutil.wait_procs(whole, timeout=60)
        assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
    (served_checkout / "first.order").unlink()
    assert not (served_checkout / "dvc.lock").exists()  # no stage has ended
    with serving(served_checkout) as (_, port), client(port) as api:
        nightly = deployment(api, "nightly")
        assert not nightly.paused
        assert [one.active for one in nightly.schedules] == [True]


def test_a_cancelled_run_leaves_no_process_and_a_true_lock(served_checkout: Path):
    (served_checkout / "source.txt").write_text("cancel")
    (served_checkout / "first.order").write_text("sleep")
    (served_checkout / "first.pids").unlink(missing_ok=True)
    with serving(served_checkout) as (_, port), client(port) as api:
        run = api.create_flow_run_from_deployment(deployment(api, "on-demand").id, state=Scheduled())
        eventually((served_checkout / "first.pids").exists)
        at_work = [psutil.Process(int(pid)) for pid in (served_checkout / "first.pids").read_text().split()]
        api.set_flow_run_state(run.id, Cancelling(), force=True)
        eventually(lambda: api.read_flow_run(run.id).state_name == "Cancelled")
        _, alive = psutil.wait_procs(at_work, timeout=60)
        assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
        (served_checkout / "first.order").unlink()
        assert not (served_checkout / "dvc.lock").exists()
        again = api.create_flow_run_from_deployment(deployment(api, "on-demand").id, state=Scheduled())
        eventually(lambda: api.read_flow_run(again.id).state_name == "Completed")
