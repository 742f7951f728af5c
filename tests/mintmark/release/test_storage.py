"""Both stores keep one contract: whole files, a pointer that moves only from where it was seen, one winner of a race."""

import hashlib
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from moto.server import ThreadedMotoServer

from mintmark.errors import BadInput
from mintmark.release.s3 import S3Store
from mintmark.release.storage import FolderStore


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(monkeypatch):
    """Credentials of nobody, and no file of the machine's."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(aws, endpoint, monkeypatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["folder", "s3", "s3 without prefix"])
def new_store(request, tmp_path):
    """Opens the same place again and again, as several deployers would."""
    if request.param == "folder":
        return lambda: FolderStore(tmp_path / "releases")
    bucket = request.getfixturevalue("bucket")
    url = f"s3://{bucket}/some/prefix" if request.param == "s3" else f"s3://{bucket}"
    return lambda: S3Store(url)


def test_a_file_comes_back_with_its_sha256(new_store, tmp_path):
    (tmp_path / "file").write_bytes(b"content" * 1000)
    store = new_store()
    assert store.sha256("objects/a/file") is None
    store.put("objects/a/file", tmp_path / "file")
    store.put("objects/a/file", tmp_path / "file")
    assert store.read("objects/a/file") == b"content" * 1000
    assert new_store().sha256("objects/a/file") == hashlib.sha256(b"content" * 1000).hexdigest()


def test_a_key_is_created_once(new_store):
    store = new_store()
    assert store.create("pointers/a.json", b"one")
    assert not store.create("pointers/a.json", b"two")
    assert store.read("pointers/a.json") == b"one"


def test_the_pointer_moves_only_from_where_it_was_seen(new_store):
    store = new_store()
    assert store.read_pointer() is None
    assert store.swap_pointer(b"one", seen=None)
    assert not store.swap_pointer(b"two", seen=None)
    first = store.read_pointer()
    assert store.swap_pointer(b"two", seen=first)
    assert not store.swap_pointer(b"three", seen=first)
    assert store.read_pointer().content == b"two"


def test_a_pointer_that_vanished_is_not_where_it_was_seen(new_store, tmp_path):
    store = new_store()
    store.swap_pointer(b"one", seen=None)
    seen = store.read_pointer()
    if isinstance(store, FolderStore):
        (store.root / "current").unlink()
    else:
        store.client.delete_object(Bucket=store.bucket, Key=store._key("current"))
    assert not store.swap_pointer(b"two", seen=seen)
    assert store.read_pointer() is None


@pytest.mark.parametrize("standing", [None, b"before"], ids=["the first pointer", "a later pointer"])
def test_of_four_racers_exactly_one_wins(new_store, standing: bytes | None):
    if standing is not None:
        new_store().swap_pointer(standing, seen=None)
    racers = [new_store() for _ in range(4)]
    seen = [racer.read_pointer() for racer in racers]
    line = threading.Barrier(4)

    def race(number: int) -> bool:
        line.wait()
        return racers[number].swap_pointer(f"racer {number}".encode(), seen=seen[number])

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(race, range(4)))
    assert sum(won) == 1
    assert new_store().read_pointer().content == f"racer {won.index(True)}".encode()


def test_a_folder_store_leaves_no_half_files(tmp_path):
    store = FolderStore(tmp_path)
    store.create("a/b", b"x")
    store.create("a/b", b"y")
    store.swap_pointer(b"one", seen=None)
    store.swap_pointer(b"two", seen=None)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {"a", "a/b", "current", ".lock"}


def one_line(store) -> str:
    with pytest.raises(BadInput) as caught:
        store.read_pointer()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "expected a folder to publish to" in one_line(FolderStore(tmp_path / "file"))
    with pytest.raises(BadInput, match="expected a folder to publish to"):
        FolderStore(tmp_path / "file").swap_pointer(b"one", seen=None)


def test_a_missing_bucket_is_one_line(bucket):
    assert one_line(S3Store("s3://no-such-bucket/prefix")).endswith("expected a bucket 'no-such-bucket', found none")


def test_an_endpoint_that_does_not_answer_is_one_line(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("mintmark.release.s3.ATTEMPTS", 1)
    assert "could not reach http://127.0.0.1:9" in one_line(S3Store("s3://bucket"))


def test_missing_credentials_are_one_line(aws, endpoint, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "expected AWS credentials" in one_line(S3Store("s3://bucket"))


RIGHTS = "expected the rights s3:GetObject, s3:PutObject and s3:ListBucket, got AccessDenied"
EXPIRED = "expected AWS credentials that the service accepts, got ExpiredToken"


@pytest.mark.parametrize(("code", "said"), [("AccessDenied", RIGHTS), ("ExpiredToken", EXPIRED)])
def test_missing_rights_and_credentials_that_ran_out_are_one_line(bucket, code: str, said: str):
    from botocore.stub import Stubber

    store = S3Store(f"s3://{bucket}")
    with Stubber(store.client) as stub:
        stub.add_client_error("get_object", service_error_code=code, http_status_code=403)
        assert one_line(store).endswith(said)


def test_an_upload_to_a_bucket_that_vanished_is_one_line(bucket, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(BadInput, match=r"^s3://no-such-bucket: expected a bucket 'no-such-bucket', found none$"):
        S3Store("s3://no-such-bucket").put("objects/a/file", tmp_path / "file")


@pytest.mark.parametrize("url", ["s3://", "gs://bucket", "bucket"])
def test_an_address_that_names_no_bucket_is_refused(aws, url: str):
    with pytest.raises(BadInput, match="expected s3://bucket"):
        S3Store(url)
