"""Whole files or none."""

import json
import math
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mintmark.files import read_json, scratch_folder, whole_file, whole_folder, write_json

ROOT = Path(__file__).resolve().parents[2]


def test_a_file_appears_when_the_block_ends_and_not_before(tmp_path: Path):
    path = tmp_path / "a" / "x.txt"
    with whole_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
        assert partial == tmp_path / "a" / ".partial" / "x.txt"
    assert path.read_text() == "new"
    assert [one.name for one in path.parent.iterdir()] == ["x.txt"]


def test_a_block_that_raises_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def write() -> None:
        with whole_file(path) as partial:
            partial.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write()
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["x.txt"]


def test_other_unfinished_work_stays(tmp_path: Path):
    checkpoint = tmp_path / ".partial" / "checkpoint"
    checkpoint.parent.mkdir()
    checkpoint.write_text("step 100")
    with whole_file(tmp_path / "x.txt") as partial:
        partial.write_text("new")
    assert checkpoint.read_text() == "step 100"


def test_two_files_may_be_unfinished_at_once(tmp_path: Path):
    with whole_file(tmp_path / "a") as first, whole_file(tmp_path / "b") as second:
        first.write_text("1")
        second.write_text("2")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path: Path):
    path = tmp_path / "docs"
    path.mkdir()
    (path / "old.html").write_text("old")
    with whole_folder(path) as partial:
        (partial / "new.html").write_text("new")
        assert (path / "old.html").exists()
    assert [one.name for one in path.iterdir()] == ["new.html"]
    assert [one.name for one in tmp_path.iterdir()] == ["docs"]


def test_a_folders_block_that_raises_leaves_the_old_one(tmp_path: Path):
    path = tmp_path / "docs"
    path.mkdir()
    (path / "old.html").write_text("old")

    def write() -> None:
        with whole_folder(path) as partial:
            (partial / "new.html").write_text("new")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write()
    assert [one.name for one in path.iterdir()] == ["old.html"]
    assert [one.name for one in tmp_path.iterdir()] == ["docs"]


def test_a_folder_starts_empty_though_an_earlier_run_was_killed(tmp_path: Path):
    left = tmp_path / ".partial" / "docs"
    left.mkdir(parents=True)
    (left / "half.html").write_text("half")
    with whole_folder(tmp_path / "docs") as partial:
        assert not list(partial.iterdir())


def test_a_kill_leaves_nothing_that_looks_finished(tmp_path: Path):
    program = (
        "import os, signal, sys; from pathlib import Path; from mintmark.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "x.txt"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program, str(path)], env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    assert (tmp_path / ".partial" / "x.txt").read_text() == "half"


def test_json_is_stable_and_comes_back(tmp_path: Path):
    value = {"b": [1, 2.5, None], "a": {"y": True, "x": "é"}}
    write_json(tmp_path / "a.json", value)
    write_json(tmp_path / "b.json", json.loads(json.dumps({"a": value["a"], "b": value["b"]})))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.json").read_text().startswith('{\n  "a": {\n    "x"')
    assert read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_carry_is_an_error_and_leaves_no_file(tmp_path: Path, number: float):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"a": number})
    assert not list(tmp_path.iterdir())


def test_a_scratch_folder_starts_empty_and_is_gone_afterwards(tmp_path: Path):
    (tmp_path / ".partial" / "work").mkdir(parents=True)
    (tmp_path / ".partial" / "work" / "of a killed run").touch()
    with scratch_folder(tmp_path / "work") as folder:
        assert list(folder.iterdir()) == []
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_ends_leaves_the_others_room(tmp_path: Path):
    with whole_file(tmp_path / "slow") as slow:
        with whole_file(tmp_path / "quick") as quick:
            quick.write_text("quick")
        slow.write_text("slow")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"quick": "quick", "slow": "slow"}


def test_many_writers_of_one_folder_do_not_disturb_each_other(tmp_path: Path):
    def write(number: int) -> None:
        with whole_file(tmp_path / str(number)) as partial:
            partial.write_text(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(400)))
    assert {int(path.read_text()) for path in tmp_path.iterdir()} == set(range(400))
