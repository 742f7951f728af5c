"""A DVC remote on a real S3 service that keeps files (rclone): push, fresh clone, pull, run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.deploy import deploy
from mintmark.errors import BadInput
from mintmark.files import write_json
from mintmark.release.manifest import write_manifest

from .servers import environment, eventually, free_port

pytestmark = pytest.mark.pipeline
RCLONE = Path(sys.executable).with_name("rclone")
KEY, SECRET = "a-key-of-tests", "a-secret-of-tests"
DVC_YAML = """
stages:
  split:
    cmd: python work.py split
    deps: [work.py]
    outs: [data/split/train.txt]
  audit:
    cmd: python work.py audit
    deps: [data/split/train.txt]
    outs:
      - data/audit/report.json
      - data/audit/private:
          push: false
  bundle:
    cmd: python work.py bundle
    deps: [data/audit/report.json]
    outs: [data/bundle/note.txt]
"""
WORK = """
import pathlib, sys
for name in {"split": ["split/train.txt"], "audit": ["audit/report.json", "audit/private/scores"],
             "bundle": ["bundle/note.txt"]}[sys.argv[1]]:
    path = pathlib.Path("data", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"what {name} holds")
"""


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The service's address, and the folder in which it keeps its buckets."""
    if not RCLONE.is_file():
        pytest.skip("rclone is not installed")
    folder, port = tmp_path_factory.mktemp("buckets"), free_port()
    (folder / "bucket").mkdir()
    words = ("serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}")
    log = tmp_path_factory.mktemp("log") / "rclone.log"
    with log.open("w") as said:
        process = subprocess.Popen([RCLONE, *words, "--config", os.devnull], stdout=said, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "Starting s3 server" in log.read_text() or process.poll() is not None)
        yield f"http://127.0.0.1:{port}", folder
    finally:
        process.terminate()
        process.wait()


def credentials(folder: Path) -> dict[str, str]:
    """The standard chain's shared file, as on a person's machine."""
    file = folder / "credentials"
    file.write_text(f"[default]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")
    (folder / "config").touch()
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_CONFIG_FILE": str(folder / "config")}
    return files | {"AWS_DEFAULT_REGION": "us-east-1"}


def command(folder: Path, *words: str, **more: str) -> str:
    done = subprocess.run(
        words, cwd=folder, env=environment(folder.parent, **more), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def dvc(folder: Path, *words: str, **more: str) -> str:
    return command(folder, sys.executable, "-m", "dvc", *words, **more)


def test_a_fresh_clone_that_pulls_runs_the_audit_and_nothing_else(rclone: tuple[str, Path], tmp_path: Path):
    endpoint, buckets = rclone
    chain = credentials(tmp_path)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    (ours / "dvc.yaml").write_text(DVC_YAML)
    (ours / "work.py").write_text(WORK)
    (ours / ".gitignore").write_text("/data/*\n")
    command(ours, "git", "init", "-q")
    dvc(ours, "init", "-q")
    dvc(ours, "remote", "add", "-d", "store", "s3://bucket/dvc")
    dvc(ours, "remote", "modify", "store", "endpointurl", endpoint)
    dvc(ours, "repro")
    said = dvc(ours, "push", **chain)
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    command(ours, "git", "add", "-A")
    command(ours, "git", *identity, "commit", "-qm", "all")

    uploaded = {path.read_bytes() for path in buckets.rglob("*") if path.is_file()}
    assert b"what split/train.txt holds" in uploaded
    assert not [one for one in uploaded if b"private/scores" in one]
    written = [path for path in ours.rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert SECRET not in said

    command(tmp_path, "git", "clone", "-q", str(ours), str(theirs))
    dvc(theirs, "pull", "--allow-missing", **chain)  # what never left the other checkout is missing, rightly
    assert (theirs / "data/split/train.txt").is_file()
    assert not (theirs / "data/audit/private").exists()
    for name in ("flows", "tasks", "mintmark"):
        (theirs / name).symlink_to(Path(__file__).parents[2] / name)
    ran = command(theirs, sys.executable, "-m", "flows.pipeline", "--deploy-to", "")
    states = {stage: stage + " ran" in ran for stage in ("split", "audit", "bundle")}
    assert states == {"split": False, "audit": True, "bundle": False}
    assert (theirs / "data/audit/private/scores").is_file()


def test_deploy_refuses_a_service_that_ignores_conditions(
    rclone: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    endpoint, buckets = rclone
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    for name, value in credentials(tmp_path).items():
        monkeypatch.setenv(name, value)
    bundle = tmp_path / "bundle"
    (bundle / "evidence").mkdir(parents=True)
    write_json(bundle / "evidence" / "verdict.json", {"released": True})
    write_manifest(bundle)
    with pytest.raises(BadInput, match="expected a store that honours conditional writes, got one that ignores them"):
        deploy(bundle, "s3://bucket/releases")
    assert not (buckets / "bucket" / "releases" / "current").exists()
    shutil.rmtree(buckets / "bucket" / "releases")
