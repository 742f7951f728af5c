"""A damaged object in DVC's cache is never used: it is found, removed, and the stage runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.restored import discard_damaged
from flows.stages import run_stage

WORK = """
import pathlib
folder = pathlib.Path("data/first/folder")
folder.mkdir(parents=True, exist_ok=True)
for name in ("a", "b"):
    (folder / name).write_text(f"what {name} holds")
pathlib.Path("data/first/out.txt").write_text("what out holds")
"""


@pytest.fixture
def cached(project: Path) -> Path:
    """A checkout whose one stage has run, and whose outputs are in the cache alone."""
    stage = {"cmd": "python work.py", "deps": ["work.py"], "outs": ["data/first/out.txt", "data/first/folder"]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"first": stage}}))
    Path("work.py").write_text(WORK)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], check=True)
    shutil.rmtree("data")
    return project


def cached_object(content: bytes) -> Path:
    """The cached object that holds these bytes."""
    return next(path for path in Path(".dvc/cache/files/md5").glob("*/*") if path.read_bytes() == content)


def run() -> tuple[bool, list[str]]:
    lines: list[str] = []
    outcome = run_stage("first", force=False, on_line=lines.append)
    assert outcome.exit_code == 0
    return outcome.ran, lines


def contents() -> dict[str, str]:
    return {path.name: path.read_text() for path in Path("data/first").rglob("[!.]*") if path.is_file()}


WHOLE = {"a": "what a holds", "b": "what b holds", "out.txt": "what out holds"}


def test_sound_objects_are_restored_without_a_run(cached: Path):
    ran, lines = run()
    assert not ran
    assert any("is cached - skipping run" in line for line in lines)
    assert contents() == WHOLE
    assert discard_damaged("first") == []


@pytest.mark.parametrize("mode", [0o644, 0o444])  # DVC reads the former again, and trusts the latter
@pytest.mark.parametrize("damage", [b"something else", b""])
@pytest.mark.parametrize("content", [b"what out holds", b"what b holds"])
def test_a_damaged_object_is_removed_and_the_stage_runs(cached: Path, content: bytes, damage: bytes, mode: int):
    found = cached_object(content)
    found.chmod(0o644)
    found.write_bytes(damage)
    found.chmod(mode)
    ran, lines = run()
    assert ran
    assert contents() == WHOLE
    if mode == 0o444:
        assert any("the cache held other bytes than dvc.lock names" in line for line in lines)
    lock = YAML(typ="safe").load(Path("dvc.lock"))["stages"]["first"]
    assert len(lock["outs"]) == 2
    assert not run()[0]
    assert cached_object(content).read_bytes() == content


def test_a_damaged_list_of_a_folder_is_never_used(cached: Path):
    found = next(Path(".dvc/cache/files/md5").glob("*/*.dir"))
    entries = json.loads(found.read_bytes())
    found.chmod(0o644)
    found.write_text(json.dumps(entries[:1]))
    found.chmod(0o444)
    ran, lines = run()
    assert ran, lines
    assert contents() == WHOLE
