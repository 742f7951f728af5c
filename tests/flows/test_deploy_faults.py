"""Deployment to an S3 service that is down, slow, broken or contested: nothing is moved by half, and one line says why."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from flows.deploy import deploy, open_store
from mintmark.errors import BadInput
from mintmark.files import write_json
from mintmark.release import s3
from mintmark.release.manifest import address, write_manifest

from .servers import free_port

pytestmark = pytest.mark.pipeline
LARGE = 20 << 20  # above boto3's 8 MiB, from which it uploads in parts
Fault = Callable[["Between", int], bool]


class Between(BaseHTTPRequestHandler):
    """Hands each request on to the real service, unless the fault of the moment takes it."""

    protocol_version = "HTTP/1.1"
    service = ""
    fault: Fault
    seen: list[str]

    def handle_request(self) -> None:
        self.seen.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if type(self).fault(self, len(self.seen)):
            return
        connection = HTTPConnection(urlsplit(self.service).netloc)
        connection.request(self.command, self.path, body=body, headers=dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "server", "date"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_request  # noqa: N815 - the base class's names

    def answer(self, status: int) -> bool:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def hang_up(self) -> bool:
        self.close_connection = True
        self.connection.close()
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """A request is not news."""


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that gave up is what the tests are about."""


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Between]]:
    """A real bucket behind a door that can be told to misbehave."""
    service = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    service.start()
    host, port = service.get_host_and_port()
    urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()  # its buckets are the process's, not the server's
    handler = type("Door", (Between,), {"service": f"http://{host}:{port}", "seen": [], "fault": lambda *_: False})
    door = Quiet(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=door.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{door.server_address[1]}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(s3, "READ_SECONDS", 1)
    boto3.client("s3").create_bucket(Bucket="bucket")
    handler.seen.clear()
    yield handler
    door.shutdown()
    door.server_close()
    service.stop()


def make_bundle(folder: Path, content: bytes = b"rows") -> Path:
    (folder / "evidence").mkdir(parents=True)
    write_json(folder / "evidence" / "verdict.json", {"released": True})
    (folder / "data.parquet").write_bytes(content)
    write_manifest(folder)
    return folder


def moved(between: type[Between]) -> bool:
    between.fault = lambda *_: False
    return open_store("s3://bucket/releases").read_pointer() is not None


def test_a_large_file_goes_in_parts_and_is_read_back(between: type[Between], tmp_path: Path):
    bundle = make_bundle(tmp_path / "bundle", bytes(range(256)) * (LARGE // 256))
    assert deploy(bundle, "s3://bucket/releases").status == "published"
    parts = [line for line in between.seen if line.startswith("PUT") and "partNumber" in line]
    assert len(parts) == 3
    assert [line for line in between.seen if line.startswith("GET") and line.endswith("data.parquet")]


@pytest.mark.parametrize("status", [500, 503])
def test_an_error_once_is_tried_again(between: type[Between], tmp_path: Path, status: int):
    between.fault = lambda door, number: number == 1 and door.answer(status)
    assert deploy(make_bundle(tmp_path / "bundle"), "s3://bucket/releases").status == "published"


@pytest.mark.parametrize("status", [500, 503])
def test_an_error_that_stays_is_said_in_one_line_and_moves_nothing(between: type[Between], tmp_path: Path, status: int):
    between.fault = lambda door, _: door.answer(status)
    with pytest.raises(BadInput, match=rf"^s3://bucket/releases: expected an S3 service, got .*\({status}\)") as said:
        deploy(make_bundle(tmp_path / "bundle"), "s3://bucket/releases")
    assert "\n" not in str(said.value)
    assert not moved(between)


def test_a_connection_that_drops_in_mid_upload_is_tried_again_or_said(between: type[Between], tmp_path: Path):
    bundle = make_bundle(tmp_path / "bundle", bytes(LARGE))
    dropped: list[int] = []

    def drop_one_part(door: Between, number: int) -> bool:
        if "partNumber=2" in door.path and not dropped:
            dropped.append(number)
            return door.hang_up()
        return False

    between.fault = drop_one_part
    assert deploy(bundle, "s3://bucket/releases").status == "published"
    assert dropped
    other = make_bundle(tmp_path / "other", bytes(LARGE) + b"1")
    standing = open_store("s3://bucket/releases").read_pointer()
    between.fault = lambda door, _: "partNumber=2" in door.path and door.hang_up()
    with pytest.raises(BadInput, match="s3://bucket/releases: expected an S3 service"):
        deploy(other, "s3://bucket/releases")
    between.fault = lambda *_: False
    assert open_store("s3://bucket/releases").read_pointer() == standing
    assert deploy(other, "s3://bucket/releases").status == "published"


def test_a_service_that_is_too_slow_is_given_up(between: type[Between], tmp_path: Path):
    def sleep(*_: object) -> bool:
        time.sleep(3)
        return False

    between.fault = sleep
    with pytest.raises(BadInput, match="s3://bucket/releases: expected an S3 service, got Read timeout"):
        deploy(make_bundle(tmp_path / "bundle"), "s3://bucket/releases")
    assert not moved(between)


def test_a_service_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch, between: type[Between], tmp_path: Path):
    endpoint = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    bundle = make_bundle(tmp_path / "bundle")
    command = [sys.executable, "-m", "flows.deploy", "--target", "s3://bucket/releases", "--bundle", str(bundle)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"could not reach {endpoint}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def race(bundles: list[Path]) -> list[tuple[int, str]]:
    """Exit codes and messages of deployers that were started together, in processes of their own."""
    words = (sys.executable, "-m", "flows.deploy", "--target", "s3://bucket/releases", "--bundle")
    root, pipe = Path(__file__).parents[2], subprocess.PIPE
    racers = [subprocess.Popen([*words, str(bundle)], cwd=root, stdout=pipe, text=True) for bundle in bundles]
    said = [racer.communicate()[0] for racer in racers]
    return [(racer.returncode, text) for racer, text in zip(racers, said, strict=True)]


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.nightly)])
def test_of_two_processes_one_wins_each_race(between: type[Between], tmp_path: Path, rounds: int):
    for number in range(rounds):
        line = threading.Barrier(2, timeout=30)

        def together(door: Between, _: int, line: threading.Barrier = line) -> bool:
            if door.command == "PUT" and door.path.endswith("/current"):
                line.wait()  # both have read the same pointer before either moves it
            return False

        between.fault = together
        bundles = [make_bundle(tmp_path / f"{number}-{racer}", f"{number}-{racer}".encode()) for racer in range(2)]
        ends = race(bundles)
        assert sorted(code for code, _ in ends) == [0, 1]
        between.fault = lambda *_: False
        pointer = open_store("s3://bucket/releases").read_pointer()
        assert pointer is not None
        won = next(place for place, (code, _) in enumerate(ends) if code == 0)
        assert json.loads(pointer.content)["release"] == address(bundles[won])
        assert "outrun: another deployer moved" in ends[1 - won][1]
