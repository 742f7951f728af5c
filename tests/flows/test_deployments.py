"""prefect.yaml against a server that is already there: a work pool, `prefect deploy --all`, a worker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from ruamel.yaml import YAML

from flows import workspace

from .servers import environment

pytestmark = pytest.mark.pipeline
REPOSITORY = Path(__file__).parents[2]


def prefect(checkout: Path, *words: str) -> str:
    command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
    api = environment(checkout, PREFECT_API_URL=str(PREFECT_API_URL.value()))
    done = subprocess.run(command, cwd=checkout, env=api, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_worker_runs_what_prefect_yaml_deploys(served_checkout: Path, prefect_server: None):
    prefect(served_checkout, "work-pool", "create", "mintmark", "--type", "process")
    said = prefect(served_checkout, "deploy", "--all")
    assert "'mintmark/nightly' successfully created" in said
    changes = json.dumps(["right.colour=green"])
    asked = ("-p", f"changes={changes}", "-p", 'targets=["right"]')
    started = prefect(served_checkout, "deployment", "run", "mintmark/on-demand", *asked)
    prefect(served_checkout, "worker", "start", "--pool", "mintmark", "--run-once")
    with get_client(sync_client=True) as api:
        ours = [run for run in api.read_flow_runs() if str(run.id) in started]
        nightly = next(one for one in api.read_deployments() if one.name == "nightly")
    assert [run.state_name for run in ours] == ["Completed"]
    place = served_checkout / workspace.place({"right.colour": "green"})
    assert (place / "data/right/out.txt").read_text() == "rightgreen"
    described = YAML(typ="safe").load(REPOSITORY / "prefect.yaml")["deployments"][0]["schedules"][0]
    schedule = nightly.schedules[0].schedule.model_dump()
    assert {key: schedule[key] for key in described} == described
    assert nightly.concurrency_options is not None
