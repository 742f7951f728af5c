"""The folder where a run with changed parameters works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from flows import workspace


def tree(folder: Path) -> set[str]:
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in files if path.parts[0] != ".dvc"}


def repro() -> str:
    return subprocess.run([sys.executable, "-m", "dvc", "repro"], check=True, capture_output=True, text=True).stdout


def test_it_has_the_code_the_pipeline_and_the_changed_parameters(project: Path):
    Path("extra.txt").write_text("no stage reads this")
    with workspace.changed({"right.colour": "blue"}) as folder:
        assert Path.cwd() == folder == project / workspace.place({"right.colour": "blue"})
        assert tree(folder) == {"work.py", "source.txt", "dvc.yaml", "params.yaml", ".dvcignore"}
        assert Path("params.yaml").read_text().splitlines()[1:] == [
            "  colour: blue # a comment to be kept",
            "  steps: 3",
        ]
        assert "Running stage 'right'" in repro()
    assert Path.cwd() == project
    assert not Path("data").exists()
    assert not Path("dvc.lock").exists()


def test_it_shares_the_cache_both_ways(project: Path):
    repro()
    with workspace.changed({"right.colour": "blue"}):
        said = repro()
        assert "Running stage 'right'" in said
        assert "Running stage 'first'" not in said
        with Repo() as repo:
            assert repo.cache.local.path == str(project / ".dvc" / "cache" / "files" / "md5")
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("red", "blue"))
    assert "Running stage" not in repro()


def test_code_that_changed_since_is_brought_up_to_date(project: Path):
    with workspace.changed({"right.steps": 4}):
        pass
    Path("source.txt").write_text("newer")
    Path("params.yaml").write_text("right: {colour: green, steps: 3}")
    with workspace.changed({"right.steps": 4}):
        assert Path("source.txt").read_text() == "newer"
        assert YAML(typ="safe").load(Path("params.yaml")) == {"right": {"colour": "green", "steps": 4}}


def test_data_stay_where_they_are_and_packages_come_whole(project: Path):
    package = project / "library"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/read.py", "unread.py"):
        (package / name).write_text("")
    (project / "images").mkdir()
    (project / "images" / "one.png").write_text("")
    Path("params.yaml").write_text("ingest:\n  source: images\n  format: a\n")
    Path("dvc.yaml").write_text(
        json.dumps({"stages": {"ingest": {"cmd": "true", "deps": ["${ingest.source}", "library/inner"]}}})
    )
    with workspace.changed({"ingest.format": "b"}) as folder:
        assert tree(folder / "library") == {"__init__.py", "inner/__init__.py", "inner/read.py", "unread.py"}
        assert not Path("images").exists()
        assert YAML(typ="safe").load(Path("params.yaml"))["ingest"]["source"] == str(project / "images")
    for source in ("library/inner/read.py", "s3://bucket/prefix"):
        with workspace.changed({"ingest.source": source}):
            assert YAML(typ="safe").load(Path("params.yaml"))["ingest"]["source"] == source


def test_a_second_run_with_the_same_changes_is_refused(project: Path):
    held = workspace.only_run(project / workspace.place({"right.steps": 4}))
    with held, pytest.raises(RuntimeError, match="another run"), workspace.changed({"right.steps": 4}):
        pass


def test_the_newest_are_kept_and_what_a_run_holds(project: Path):
    held = project / workspace.place({"right.steps": 10})
    with workspace.changed({"right.steps": 10}):
        pass
    with workspace.only_run(held):
        for steps in range(11, 16):
            with workspace.changed({"right.steps": steps}):
                pass
    kept = {path.name for path in (project / workspace.WORKSPACES).iterdir()}
    newest = {workspace.place({"right.steps": steps}).name for steps in (13, 14, 15)}
    assert kept == newest | {held.name}
