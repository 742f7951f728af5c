"""A DVC remote on a real S3 service that keeps files (rclone): push, fresh clone, pull, run."""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows.deploy import deploy
from mintmark.errors import BadInput
from mintmark.files import write_json
from mintmark.release.manifest import write_manifest
from tests.checkout import ROOT, checkout

from .buckets import SECRET, Rclone, command, commit, dvc, holding, in_environment, in_files, rclone, run, states

pytestmark = pytest.mark.pipeline
PRIVATE = "data/audit/private"
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
Rows = dict[str, dict[str, Any]]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Rclone]:
    (tmp_path / "service").mkdir()
    with rclone(tmp_path / "service") as running:
        yield running


def toy(folder: Path) -> Path:
    """Three quick stages, and this repository's flow to run them."""
    folder.mkdir()
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "work.py").write_text(WORK)
    (folder / ".gitignore").write_text("/data/*\n")
    for name in ("flows", "tasks", "mintmark"):
        (folder / name).symlink_to(ROOT / name)
    command(folder, "git", "init", "-q")
    dvc(folder, "init", "-q")
    return folder


def rows(folder: Path) -> Rows:
    return YAML(typ="safe").load(folder / "dvc.lock")["stages"]


def written(rows: Rows) -> dict[str, str]:
    """Every stage output and its md5."""
    return {out["path"]: out["md5"] for row in rows.values() for out in row["outs"]}


def due(before: Rows, after: Rows) -> set[str]:
    """The audit, and the stages that read what it, or one of these, wrote with other bytes than before."""
    now = written(after)
    changed = {
        name
        for name, row in before.items()
        if any(now.get(dep["path"], dep.get("md5")) != dep.get("md5") for dep in row["deps"])
    }
    return {"audit"} | changed


def pushed(checkout: Path) -> set[str]:
    """The md5 of all that may be pushed: every output and every file of a folder, but for the private scores."""
    wanted = {digest for path, digest in written(rows(checkout)).items() if path != PRIVATE}
    folders = [checkout / ".dvc/cache/files/md5" / one[:2] / one[2:] for one in wanted if one.endswith(".dir")]
    return wanted.union(*({entry["md5"] for entry in json.loads(one.read_bytes())} for one in folders))


@pytest.mark.parametrize(
    "make",
    [toy, pytest.param(checkout, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])],
    ids=["three toy stages", "this repository's stages"],
)
def test_a_fresh_clone_that_pulls_runs_the_audit_and_nothing_else(service: Rclone, tmp_path: Path, make):
    chain = in_files(tmp_path)
    ours, theirs = make(tmp_path / "ours"), tmp_path / "theirs"
    dvc(ours, "remote", "add", "--default", "store", "s3://bucket/mintmark")
    dvc(ours, "remote", "modify", "store", "endpointurl", service.endpoint)
    dvc(ours, "repro")
    commit(ours)
    said = dvc(ours, "push", **chain)

    objects = service.objects()
    assert {"".join(path.split("/")[-2:]) for path in objects} == pushed(ours)
    private = [path.read_bytes() for path in (ours / PRIVATE).rglob("*") if path.is_file()]
    assert private
    uploaded = {hashlib.sha256(content).digest() for content in objects.values()}
    assert not uploaded & {hashlib.sha256(content).digest() for content in private}

    command(tmp_path, "git", "clone", "-q", str(ours), str(theirs))
    before = rows(theirs)
    said += dvc(theirs, "pull", "--allow-missing", **chain)  # what never left the other checkout is missing, rightly
    assert not (theirs / PRIVATE).exists()
    public = [path for path in written(before) if path != PRIVATE]
    assert [path for path in public if not (theirs / path).exists()] == []

    ran = command(theirs, sys.executable, "-m", "flows.pipeline", "--deploy-to", "")
    ends = states(ran)
    assert set(ends) == set(before)
    assert {stage for stage, end in ends.items() if end != "Cached"} == due(before, rows(theirs))
    assert {path.name for path in (theirs / PRIVATE).iterdir()} == {path.name for path in (ours / PRIVATE).iterdir()}
    for place in (ours, theirs, service.folder):
        assert holding(place, SECRET) == []
    assert SECRET not in said + ran


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose stages have run and whose remote is the bucket."""
    folder = toy(tmp_path_factory.mktemp("toy") / "ours")
    dvc(folder, "remote", "add", "--default", "store", "s3://bucket/mintmark")
    dvc(folder, "repro")
    commit(folder)
    return folder


def changed_chain(chain: dict[str, str], fault: str) -> dict[str, str]:
    match fault:
        case "a wrong secret":
            return chain | {"AWS_SECRET_ACCESS_KEY": "wrong"}
        case "an unknown key":
            return chain | {"AWS_ACCESS_KEY_ID": "wrong"}
        case "no credentials":
            return {name: value for name, value in chain.items() if "ACCESS_KEY" not in name}
    return chain


@pytest.mark.parametrize(
    ("fault", "pushing", "pulling"),
    [
        ("a wrong secret", "SignatureDoesNotMatch", "Forbidden"),
        ("an unknown key", "InvalidAccessKeyId", "Forbidden"),
        ("no credentials", "Unable to locate credentials", "Unable to locate credentials"),
        ("no bucket", "NoSuchBucket", "NoSuchBucket"),
    ],
)
def test_a_remote_that_lets_nobody_in_fails_and_says_why(
    service: Rclone, ours: Path, tmp_path: Path, fault: str, pushing: str, pulling: str
):
    """`--allow-missing` forgives what was never pushed, and nothing else."""
    bad = changed_chain(in_environment(service.endpoint), fault)
    theirs = tmp_path / "theirs"
    command(tmp_path, "git", "clone", "-q", str(ours), str(theirs))
    if fault == "no bucket":
        (service.folder / "bucket").rmdir()
    push = run(ours, sys.executable, "-m", "dvc", "push", **bad)
    assert push.returncode != 0
    assert pushing in push.stdout
    assert service.objects() == {}
    pull = run(theirs, sys.executable, "-m", "dvc", "pull", "--allow-missing", **bad)
    assert pull.returncode != 0
    assert pulling in pull.stdout
    assert not (theirs / "data").exists()
    assert SECRET not in push.stdout + pull.stdout


def test_deploy_refuses_a_service_that_ignores_conditions(
    service: Rclone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in (in_files(tmp_path) | {"AWS_ENDPOINT_URL": service.endpoint}).items():
        monkeypatch.setenv(name, value)
    bundle = tmp_path / "bundle"
    (bundle / "evidence").mkdir(parents=True)
    write_json(bundle / "evidence" / "verdict.json", {"released": True})
    write_manifest(bundle)
    with pytest.raises(BadInput, match="expected a store that honours conditional writes, got one that ignores them"):
        deploy(bundle, "s3://bucket/releases")
    assert not (service.folder / "bucket" / "releases" / "current").exists()
