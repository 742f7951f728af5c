"""The released report over HTTP: what is shown, and what never is."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flows.report_server import address, report_server
from flows.workspace import WORKSPACES


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    files = {
        "data/release/index.html": "the report",
        "data/release/bundle/data.parquet": "rows",
        "data/audit/private/scores.parquet": "secret",
        "params.yaml": "secret",
        f"{WORKSPACES}/abc/data/release/index.html": "the other report",
        f"{WORKSPACES}/abc/params.yaml": "secret",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with report_server(tmp_path, 0) as found:
        yield found


def get(base: str, path: str, method: str = "GET", host: str | None = None) -> tuple[int, str]:
    """The answer to a path sent as it stands; an HTTP library would tidy it."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_report_and_the_bundle_are_shown(base: str):
    assert get(base, "/") == (200, "the report")
    assert get(base, "/bundle/data.parquet") == (200, "rows")
    assert "data.parquet" in get(base, "/bundle/")[1]
    assert get(base, "/", "HEAD") == (200, "")


def test_a_workspace_has_an_address_of_its_own(base: str, tmp_path: Path):
    assert address(base, tmp_path) == base
    found = address(base, tmp_path / WORKSPACES / "abc")
    assert get(base, found.removeprefix(base.rstrip("/"))) == (200, "the other report")


@pytest.mark.parametrize(
    "path",
    [
        "/../../params.yaml",
        "/../audit/private/scores.parquet",
        "/bundle/../../audit/private/scores.parquet",
        "/%2e%2e/%2e%2e/params.yaml",
        "/..%2f..%2fparams.yaml",
        "/workspaces/abc/../../params.yaml",
        "/workspaces/../params.yaml",
        "/workspaces/%2e%2e/%2e%2e/params.yaml",
        "/workspaces/",
        "/workspaces/abc/../",
        "//etc/passwd",
    ],
)
def test_nothing_else_is(base: str, path: str):
    status, text = get(base, path)
    assert status == 404
    assert "secret" not in text


def test_it_answers_this_machines_names_alone(base: str):
    assert get(base, "/", host="localhost:80")[0] == 200
    assert get(base, "/", host="evil.example")[0] == 403


def test_it_changes_nothing_and_is_gone_after(base: str, tmp_path: Path):
    assert get(base, "/", "POST")[0] == 501
    with report_server(tmp_path, 0) as other:
        port = urlsplit(other).port
        assert port is not None
        with pytest.raises(RuntimeError, match=f"port {port} .* is taken"), report_server(tmp_path, port):
            pass
    with pytest.raises(ConnectionRefusedError):
        get(other, "/")
