"""Deployment: publishes once, refuses what was refused, takes back, and loses a race honestly."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from flows import deploy as deployment
from flows.deploy import deploy, rollback
from mintmark.errors import BadInput
from mintmark.files import write_json
from mintmark.release.manifest import address, sha256, write_manifest
from mintmark.release.storage import FolderStore


def make_bundle(folder: Path, data: str, *, verdict: dict) -> Path:
    (folder / "evidence").mkdir(parents=True)
    write_json(folder / "evidence" / "verdict.json", verdict)
    (folder / "data").mkdir()
    (folder / "data" / "data.parquet").write_text(data)
    write_manifest(folder)
    return folder


@pytest.fixture
def bundle(tmp_path):
    """Makes a released bundle that holds the given text."""

    def make(data: str) -> Path:
        return make_bundle(tmp_path / "bundles" / data, data, verdict={"released": True})

    return make


@pytest.fixture(scope="module")
def s3_endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def target(request, tmp_path, monkeypatch) -> str:
    if request.param == "folder":
        return str(tmp_path / "releases")
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3_endpoint"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = f"bucket-{abs(hash(tmp_path))}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/releases"


def current(target: str) -> str:
    pointer = deployment.open_store(target).read_pointer()
    assert pointer is not None
    return json.loads(pointer.content)["release"]


def test_a_release_lies_whole_under_its_address(bundle, target):
    folder = bundle("one")
    outcome = deploy(folder, target)
    assert outcome.status == "published"
    assert outcome.address == address(folder) == current(target)
    store = deployment.open_store(target)
    for path in folder.rglob("*"):
        if path.is_file():
            assert store.sha256(f"objects/{outcome.address}/{path.relative_to(folder).as_posix()}") == sha256(path)


def test_deploying_again_does_nothing_and_says_so(bundle, tmp_path):
    target = tmp_path / "releases"
    deploy(bundle("one"), str(target))
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    again = deploy(tmp_path / "bundles" / "one", str(target))
    assert again.status == "unchanged"
    assert "nothing changed" in again.message
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before


def test_a_refused_bundle_publishes_nothing_and_names_the_rule(bundle, target, tmp_path):
    deploy(bundle("one"), target)
    standing = current(target)
    verdict = {"released": False, "reason": "this does not hold: few leaks", "work_on": {"rule": "few leaks"}}
    outcome = deploy(make_bundle(tmp_path / "refused", "two", verdict=verdict), target)
    assert outcome.status == "refused"
    assert "Work on the rule: few leaks" in outcome.message
    assert current(target) == standing
    assert deployment.open_store(target).read(f"objects/{outcome.address}/MANIFEST.json") is None


def test_each_pointer_names_its_predecessor(bundle, target):
    for data in ("one", "two", "three"):
        deploy(bundle(data), target)
    store = deployment.open_store(target)
    pointer = store.read_pointer()
    assert pointer is not None
    entry, history = json.loads(pointer.content), []
    while entry["predecessor"] is not None:
        stored = store.read(f"pointers/{entry['predecessor']}.json")
        assert stored is not None
        entry = json.loads(stored)
        history.append(entry["release"])
    assert len(history) == 2
    assert len({*history, current(target)}) == 3


def test_rolling_back_goes_one_release_back_each_time(bundle, target):
    addresses = [deploy(bundle(data), target).address for data in ("one", "two", "three")]
    assert rollback(target).address == addresses[1] == current(target)
    assert rollback(target).address == addresses[0] == current(target)
    with pytest.raises(BadInput, match=f"expected a release before {addresses[0]}, found none"):
        rollback(target)
    assert current(target) == addresses[0]


def test_a_release_that_was_taken_back_is_not_published_again_by_itself(bundle, target, tmp_path):
    deploy(bundle("one"), target)
    bad = deploy(bundle("two"), target)
    good = rollback(target).address
    again = deploy(tmp_path / "bundles" / "two", target)
    assert (again.status, again.address) == ("refused", bad.address)
    assert "taken back by a rollback" in again.message
    assert current(target) == good
    assert deploy(tmp_path / "bundles" / "one", target).status == "unchanged"
    third = deploy(bundle("three"), target)
    assert third.status == "published"
    assert rollback(target).address == good


def test_there_is_nothing_to_take_back_before_the_first_release(target):
    with pytest.raises(BadInput, match="expected a release to take back, found none"):
        rollback(target)


def test_of_deployers_that_race_one_wins_and_the_others_say_so(bundle, target, monkeypatch):
    deploy(bundle("before"), target)
    folders = [bundle(f"racer-{number}") for number in range(4)]
    line = threading.Barrier(4)
    upload = deployment._upload

    def upload_then_wait(*arguments):  # every racer has seen the same pointer before any moves it
        upload(*arguments)
        line.wait()

    monkeypatch.setattr(deployment, "_upload", upload_then_wait)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda folder: deploy(folder, target), folders))
    assert sorted(one.status for one in outcomes) == ["outrun", "outrun", "outrun", "published"]
    winner = next(one for one in outcomes if one.status == "published")
    assert current(target) == winner.address
    assert all(winner.address in one.message for one in outcomes)


def test_two_deployers_of_one_release_agree(bundle, target, monkeypatch):
    folder = bundle("same")
    line = threading.Barrier(2)
    upload = deployment._upload

    def upload_then_wait(*arguments):
        upload(*arguments)
        line.wait()

    monkeypatch.setattr(deployment, "_upload", upload_then_wait)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: deploy(folder, target), range(2)))
    assert sorted(one.status for one in outcomes) == ["published", "unchanged"]


def test_a_damaged_bundle_is_not_published(bundle, target):
    folder = bundle("one")
    (folder / "data" / "data.parquet").write_text("two")
    with pytest.raises(BadInput, match="got other bytes"):
        deploy(folder, target)
    assert deployment.open_store(target).read_pointer() is None


def test_a_store_that_loses_bytes_is_found_out(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(FolderStore, "put", lambda self, key, path: self.create(key, b"other bytes"))
    with pytest.raises(BadInput, match="expected to read back sha256"):
        deploy(bundle("one"), str(tmp_path / "releases"))


def test_a_store_that_ignores_conditions_is_refused(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(FolderStore, "create", lambda *_: True)
    with pytest.raises(BadInput, match="ignores them"):
        deploy(bundle("one"), str(tmp_path / "releases"))
    assert FolderStore(tmp_path / "releases").read_pointer() is None


def test_an_upload_that_broke_off_is_finished(bundle, tmp_path):
    folder, target = bundle("one"), tmp_path / "releases"
    store = FolderStore(target)
    store.put(f"objects/{address(folder)}/data/data.parquet", folder / "evidence" / "verdict.json")
    assert deploy(folder, str(target)).status == "published"
    assert store.read(f"objects/{address(folder)}/data/data.parquet") == b"one"


def command(*arguments: str):
    import typer

    application = typer.Typer()
    application.command()(deployment.main)
    return CliRunner().invoke(application, arguments)


def test_the_command_publishes_takes_back_and_answers_bad_input_with_one_line(bundle, tmp_path):
    target = str(tmp_path / "releases")
    for data in ("one", "two"):
        done = command("--target", target, "--bundle", str(bundle(data)))
        assert done.exit_code == 0
        assert done.stdout.startswith("published")
    back = command("--target", target, "--rollback")
    assert back.exit_code == 0
    assert back.stdout.startswith("rolled back to")
    assert current(target) == address(tmp_path / "bundles" / "one")
    broken = command("--target", target, "--bundle", str(tmp_path / "nowhere"))
    assert broken.exit_code == 1
    assert "expected a manifest" in broken.output
