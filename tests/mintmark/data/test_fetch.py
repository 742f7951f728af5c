"""Remote sources arrive whole, or the reason is told in one line."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from moto.server import ThreadedMotoServer

from mintmark.data import fetch
from mintmark.data.fetch import fetched, public
from mintmark.errors import BadInput


class Handler(BaseHTTPRequestHandler):
    """One server that answers as the path asks."""

    def do_GET(self) -> None:
        if self.path.startswith("/short"):
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"only this")
        elif self.path.startswith("/slow"):
            threading.Event().wait(1.0)
        elif self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/there.csv")
            self.end_headers()
        elif self.path.startswith("/denied"):
            self.send_error(403)
        elif self.path.startswith("/there"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())
        else:
            self.send_error(404)

    def do_HEAD(self) -> None:
        self.send_response(403 if self.path.startswith("/denied") else 200)
        self.send_header("Content-Length", "100")
        self.end_headers()

    def log_message(self, format, *args) -> None:  # noqa: A002 - the name http.server has
        """Quiet."""


def serve(handler) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def web() -> Iterator[str]:
    yield from serve(Handler)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(endpoint, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="wafers")
    return client


def test_a_path_is_read_where_it_lies(tmp_path):
    (tmp_path / "x").touch()
    with fetched(str(tmp_path / "x"), into=tmp_path / "scratch") as path:
        assert path == tmp_path / "x"
    with (
        pytest.raises(BadInput, match="expected a file or a folder, found none"),
        fetched(str(tmp_path / "y"), into=tmp_path / "scratch"),
    ):
        pass


def test_a_file_comes_over_http_with_its_name_and_goes_afterwards(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a b.csv").write_bytes(b"x" * 3_000_000)
    served = serve(lambda *one: SilentFiles(*one, directory=str(tmp_path / "web")))
    address = f"{next(served)}/a%20b.csv"
    with fetched(address, into=tmp_path / "out" / "source") as path:
        assert path.name == "a b.csv"
        assert path.stat().st_size == 3_000_000
    assert list((tmp_path / "out").iterdir()) == []
    assert list(served) == []


class SilentFiles(SimpleHTTPRequestHandler):
    def log_message(self, format, *args) -> None:  # noqa: A002 - the name http.server has
        """Quiet."""


def test_redirects_are_followed_and_files_beside_are_fetched(tmp_path, web):
    with fetched(f"{web}/moved.csv", into=tmp_path / "source") as path:
        assert path.read_bytes() == b"/there.csv"
    with fetched(f"{web}/there-images?token=1", into=tmp_path / "source", beside=["there-labels"]) as path:
        assert path.read_bytes() == b"/there-images?token=1"
        assert path.with_name("there-labels").read_bytes() == b"/there-labels?token=1"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.csv", "expected a file, got status 404"),
        ("denied.csv", "expected a file, got status 403"),
        ("short.csv", "expected 100 bytes, got 9"),
        ("slow.csv", "expected to read it, got"),
    ],
)
def test_http_failures_are_told_without_the_secret_in_the_address(tmp_path, web, monkeypatch, path, reason):
    monkeypatch.setattr(fetch, "READ_SECONDS", 0.2)
    with (
        pytest.raises(BadInput, match=reason) as caught,
        fetched(f"{web}/{path}?signature=secret", into=tmp_path / "source"),
    ):
        pass
    assert str(caught.value).startswith(f"{web}/{path}: ")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nobody_at_the_address(tmp_path):
    with (
        pytest.raises(BadInput, match=r"http://127.0.0.1:9/x: expected to read it, got .*refused"),
        fetched("http://127.0.0.1:9/x", into=tmp_path / "source"),
    ):
        pass


def test_an_error_about_a_fetched_file_names_the_source(tmp_path, web):
    with (
        pytest.raises(BadInput, match=f"^{web}/there: expected a table$"),
        fetched(f"{web}/there?x=1", into=tmp_path / "source") as path,
    ):
        raise BadInput(f"{path}: expected a table")
    with (
        pytest.raises(BadInput, match=f"^{web}/there-labels: expected labels$"),
        fetched(f"{web}/there-images", into=tmp_path / "source", beside=["there-labels"]) as path,
    ):
        raise BadInput(f"{path.with_name('there-labels')}: expected labels")


def test_an_address_without_a_file_name_has_a_name_on_this_machine(tmp_path, web):
    with (
        pytest.raises(BadInput, match="got status 404"),
        fetched(f"{web}/..", into=tmp_path / "source"),
    ):
        pass


def test_an_object_comes_from_s3(tmp_path, s3):
    s3.put_object(Bucket="wafers", Key="deep/images?", Body=b"pixels" * 2_000_000)
    s3.put_object(Bucket="wafers", Key="deep/labels", Body=b"codes")
    with fetched("s3://wafers/deep/images?", into=tmp_path / "source", beside=["labels"]) as path:
        assert path.read_bytes() == b"pixels" * 2_000_000
        assert path.with_name("labels").read_bytes() == b"codes"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("source", ["s3://wafers/tree", "s3://wafers/tree/"])
def test_a_prefix_comes_from_s3_as_a_folder(tmp_path, s3, source):
    for key in ("tree/cat/1.png", "tree/cat/2 #1?.png", "tree/dog/3.png", "tree2/other.png"):
        s3.put_object(Bucket="wafers", Key=key, Body=key.encode())
    s3.put_object(Bucket="wafers", Key="tree/empty/", Body=b"")
    with fetched(source, into=tmp_path / "source") as path:
        found = {file.relative_to(path).as_posix(): file.read_text() for file in path.rglob("*") if file.is_file()}
    assert found == {name: f"tree/{name}" for name in ("cat/1.png", "cat/2 #1?.png", "dog/3.png")}


def test_more_objects_than_a_page_of_the_listing(tmp_path, s3, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")  # the server's page; 1,000 as a rule
    for number in range(10):
        s3.put_object(Bucket="wafers", Key=f"many/{number}", Body=b"x")
    assert s3.list_objects_v2(Bucket="wafers", Prefix="many/")["IsTruncated"]
    with fetched("s3://wafers/many", into=tmp_path / "source") as path:
        assert len(list(path.iterdir())) == 10


def test_an_object_that_breaks_off_is_never_taken_for_whole(tmp_path, s3, monkeypatch):
    monkeypatch.setattr(fetch, "ATTEMPTS", 1)
    for address in serve(Handler):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with (
            pytest.raises(BadInput, match="s3://short/x: expected to read it"),
            fetched("s3://short/x", into=tmp_path / "s"),
        ):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_would_leave_the_folder_is_refused(tmp_path, s3):
    s3.put_object(Bucket="wafers", Key="evil/../../../out.png", Body=b"x")
    with (
        pytest.raises(BadInput, match="expected keys below the prefix"),
        fetched("s3://wafers/evil", into=tmp_path / "s"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("s3://no-such-bucket/x", "NoSuchBucket"),
        ("s3://wafers/no/such/key", "expected an object or objects below it, found none"),
        ("s3:///x", "got no bucket"),
        ("s3://Not_A_Bucket!/x", "expected to read it, got"),
    ],
)
def test_s3_failures_are_told(tmp_path, s3, source, reason):
    with pytest.raises(BadInput, match=reason) as caught, fetched(source, into=tmp_path / "source"):
        pass
    assert str(caught.value).startswith(f"{source}: ")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("source", ["s3://wafers/x", "s3://wafers/tree/"])
def test_a_bucket_without_rights_is_told(tmp_path, s3, monkeypatch, source):
    s3.put_object(Bucket="wafers", Key="x", Body=b"x")
    for address in serve(Handler):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"{address}/denied")
        with (
            pytest.raises(BadInput, match=rf"^{source}: expected to read it, got .*(403|Forbidden)"),
            fetched(source, into=tmp_path / "source"),
        ):
            pass


def test_no_endpoint_and_no_credentials_are_told(tmp_path, s3, monkeypatch):
    monkeypatch.setattr(fetch, "ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BadInput, match="Could not connect to the endpoint"), fetched("s3://w/x", into=tmp_path / "s"):
        pass
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(BadInput, match="credentials"), fetched("s3://w/x", into=tmp_path / "s"):
        pass


def test_the_secret_part_of_an_address_is_not_public():
    assert public("https://a/b.csv?X-Signature=1") == "https://a/b.csv"
    assert public("s3://a/b?c") == "s3://a/b?c"
    assert public("data/what?.csv") == "data/what?.csv"
