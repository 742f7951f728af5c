"""`make serve`: a real server and the deployments of prefect.yaml, started, used and stopped."""

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.states import Scheduled
from ruamel.yaml import YAML

from flows import serve, server, workspace

from .servers import client, deployment, environment, eventually, free_port, run_states, serving

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def served(served_checkout: Path) -> Iterator[tuple[Path, int]]:
    """A checkout that is served, its pipeline due every minute, and the server's port."""
    with serving(served_checkout, "--cron", "* * * * *", "--timezone", "Europe/Berlin") as (_, port):
        yield served_checkout, port


def test_a_scheduled_run_comes_and_completes(served: tuple[Path, int]):
    checkout, port = served
    with client(port) as api:
        nightly = deployment(api, "nightly")
        schedule: Any = nightly.schedules[0].schedule
        assert (schedule.cron, schedule.timezone) == ("* * * * *", "Europe/Berlin")
        done = eventually(
            lambda: [run for run in api.read_flow_runs() if run.state_name == "Completed" and run.auto_scheduled], 180
        )
    assert done[0].deployment_id == nightly.id
    assert (checkout / "data/last/out.txt").read_text() == "last"


def test_the_ui_asks_the_server_on_its_own_port(served: tuple[Path, int]):
    _, port = served
    with urllib.request.urlopen(f"{server.ui_url(port)}/ui-settings") as answer:
        assert json.load(answer)["api_url"] == server.api_url(port)
    with urllib.request.urlopen(server.ui_url(port)) as answer:
        assert b"<html" in answer.read().lower()


def test_a_second_one_says_what_is_already_running(served: tuple[Path, int]):
    checkout, port = served
    second = subprocess.run(
        [sys.executable, "-m", "flows.serve", "--port", str(free_port())],
        cwd=checkout,
        env=environment(checkout),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "already served here by process" in second.stderr
    assert server.ui_url(port) in second.stderr


def test_a_run_in_the_checkout_finds_the_server(served: tuple[Path, int]):
    checkout, port = served
    subprocess.run(
        [sys.executable, "-m", "flows.pipeline", "first", "--deploy-to", ""],
        cwd=checkout,
        env=environment(checkout),
        check=True,
        capture_output=True,
    )
    with client(port) as api:
        assert any(run.deployment_id is None and run.state_name == "Completed" for run in api.read_flow_runs())


def test_the_form_of_a_run_on_demand_and_what_it_changes(served: tuple[Path, int]):
    checkout, port = served
    with client(port) as api:
        on_demand = deployment(api, "on-demand")
        fields = (on_demand.parameter_openapi_schema or {})["properties"]
        assert set(fields) == {"targets", "force", "preset", "changes", "source", "source_format", "deploy_to"}
        assert all(field.get("description") for field in fields.values())
        asked = {"targets": ["right"], "changes": ["right.colour=blue"]}
        run = api.create_flow_run_from_deployment(on_demand.id, parameters=asked, state=Scheduled())
        eventually(lambda: run_states(api)[run.id.hex] == "Completed")
    place = checkout / workspace.place({"right.colour": "blue"})
    assert (place / "data/right/out.txt").read_text() == "rightblue"
    assert "red" in (checkout / "params.yaml").read_text()


def test_a_port_that_another_program_has_is_named(project: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"port {port} .* is taken by another program"), server.server(port):
            pass


def test_a_server_that_cannot_start_says_why(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "nonsense://")
    said = pytest.raises(RuntimeError, match=r"stopped at once: .*\(more in .*prefect-server.log\)")
    with said, server.server(free_port()):
        pass


def test_the_record_of_a_server_that_is_gone_is_not_believed(project: Path):
    server.RECORD.write_text(json.dumps({"port": free_port(), "reports": ""}))
    assert server.running() is None
    server.RECORD.write_text("half a rec")
    assert server.running() is None


def test_schedules_come_from_prefect_yaml(project: Path):
    with pytest.raises(FileNotFoundError):
        serve.deployments()
    YAML().dump(
        {"deployments": [{"name": "a", "schedules": [{"cron": "1 2 * * *", "timezone": "Asia/Tokyo"}]}, {"name": "b"}]},
        Path("prefect.yaml"),
    )
    assert serve.schedules_in_words(serve.deployments()) == "a: 1 2 * * * (Asia/Tokyo); b: on demand"
    assert serve.deployments(cron="3 4 * * *")[0]["schedules"] == [{"cron": "3 4 * * *", "timezone": "Asia/Tokyo"}]
    Path("prefect.yaml").write_text("deployments:\n")
    with pytest.raises(ValueError, match=r"prefect.yaml: expected deployments, found none"):
        serve.deployments()
