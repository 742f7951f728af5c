"""What DVC says of the stages: the graph, an order, what is up to date."""

import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from flows.graph import stage_graph, up_to_date, wanted_order

from .buckets import in_environment


def reproduce() -> None:
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], check=True)


def test_the_graph_is_dvcs(project: Path):
    edges = {("first", "left"), ("first", "right"), ("left", "last"), ("right", "last")}
    assert set(stage_graph().edges) == edges


def test_a_target_brings_what_it_needs_and_no_more(project: Path):
    assert wanted_order(stage_graph(), ["left"]) == ["first", "left"]
    with pytest.raises(ValueError, match=r"stages must be among .* got \['lost'\]"):
        wanted_order(stage_graph(), ["lost"])


def test_what_is_up_to_date_has_nothing_changed_before_it(project: Path):
    graph = stage_graph()
    assert up_to_date(graph) == set()  # nothing has run
    reproduce()
    assert up_to_date(graph) == {"first", "left", "right", "last"}
    Path("params.yaml").write_text("right: {colour: green, steps: 3}")
    assert up_to_date(graph) == {"first", "left"}
    Path("source.txt").write_text("changed")
    assert up_to_date(graph) == set()


def test_a_lost_or_touched_output_is_not_up_to_date(project: Path):
    reproduce()
    Path("data/right/out.txt").unlink()
    assert up_to_date(stage_graph()) == {"first", "left"}
    Path("data/right/out.txt").write_text("somebody was here")
    assert up_to_date(stage_graph()) == {"first", "left"}


def test_nothing_is_up_to_date_where_dvc_cannot_say(project: Path):
    reproduce()
    graph = stage_graph()
    with Repo() as repo, repo.lock:
        held = subprocess.run(
            [sys.executable, "-c", "from flows.graph import *; print(len(up_to_date(stage_graph())))"],
            env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
    assert held.stdout == "0\n"
    Path("params.yaml").write_text("right: [")
    assert up_to_date(graph) == set()


def test_nothing_is_up_to_date_where_the_source_may_not_be_read(project: Path, monkeypatch: pytest.MonkeyPatch):
    Path("dvc.yaml").write_text("stages: {first: {cmd: 'true', deps: ['s3://bucket/x.csv']}}")
    for name, value in in_environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert up_to_date(stage_graph()) == set()
