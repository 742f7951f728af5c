"""The whole pipeline on tiny params through the flow, and what DVC alone makes of the same checkout: the same bytes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from .checkout import checkout, write_params

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(600)]
BRIEF = ("ingest", "split", "generate", "anonymise", "shadow", "audit", "release")  # the others take longer


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "PYTHONPATH": str(folder),
        "PREFECT_HOME": str(folder / ".prefect"),
        "COLUMNS": "200",
    }
    return subprocess.run(list(words), cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def by_flow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = checkout(tmp_path_factory.mktemp("by_flow"))
    return folder, command(folder, sys.executable, "-m", "flows.pipeline")


@pytest.fixture(scope="module")
def by_dvc(by_flow, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The flow's checkout elsewhere, in which DVC alone has run the brief stages again."""
    folder = tmp_path_factory.mktemp("by_dvc") / "checkout"
    shutil.copytree(by_flow[0], folder, symlinks=True)
    return folder, command(folder, "dvc", "repro", "--force", "--single-item", *BRIEF)


def reports(folder: Path) -> dict[str, bytes]:
    found = [*(folder / "data").glob("*/report.json"), *(folder / "data").glob("*/verdict.json")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_flow_ends_with_a_verdict_a_report_and_what_to_type_next(by_flow):
    folder, done = by_flow
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for words in ("data/release/index.html", "make serve", "edit params.yaml"):
        assert words in done.stdout.replace("\n", "")
    assert (folder / "data/release/verdict.json").is_file()
    assert "Refused" in done.stdout or "Completed" in done.stdout


def test_dvc_alone_gives_the_same_bytes(by_flow, by_dvc):
    folder, done = by_dvc
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for stage in BRIEF:
        assert f"Running stage '{stage}'" in done.stdout
    first, second = reports(by_flow[0]), reports(folder)
    assert len(first) >= 10
    assert first == second
    assert (folder / "dvc.lock").read_bytes() == (by_flow[0] / "dvc.lock").read_bytes()


@pytest.mark.nightly
def test_dvc_alone_runs_every_stage_to_the_same_bytes(by_flow, tmp_path: Path):
    folder = checkout(tmp_path)
    done = command(folder, "dvc", "repro")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert reports(folder) == reports(by_flow[0])


def test_nothing_runs_twice(by_dvc):
    done = command(by_dvc[0], "dvc", "repro", "--dry")
    assert "Running stage" not in done.stdout + done.stderr


def stages_to_run(folder: Path) -> set[str]:
    done = command(folder, "dvc", "status", "--json")
    import json

    changed = json.loads(done.stdout)
    first = {name for name, why in changed.items() if any("changed deps" in str(one) for one in why)}
    graph = YAML(typ="safe").load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return downstream(graph, first)


def downstream(graph: dict[str, Any], stages: set[str]) -> set[str]:
    """The stages and all that read, through any chain, what they write."""
    found = set(stages)
    while True:
        folders = tuple(f"data/{name}/" for name in found)
        more = {name for name, stage in graph.items() if any(str(dep).startswith(folders) for dep in stage["deps"])}
        if more <= found:
            return found
        found |= more


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("cluster", "seed", 99, {"cluster", "audit", "release"}),
        (
            "train_gan",
            "steps",
            3,
            {"train_gan", "generate", "anonymise", "evaluate", "shadow", "audit", "cluster", "detect", "release"},
        ),
    ],
)
def test_a_changed_param_reruns_its_stage_and_what_depends_on_it(by_dvc, section, key, value, expected):
    folder, _ = by_dvc
    before = (folder / "params.yaml").read_bytes()
    try:
        write_params(folder, {section: {key: value}})
        assert stages_to_run(folder) == expected
    finally:
        (folder / "params.yaml").write_bytes(before)


@pytest.mark.parametrize("words", [("metrics", "show"), ("params", "diff"), ("plots", "show", "--no-html"), ("dag",)])
def test_dvcs_own_commands_answer(by_dvc, words: tuple[str, ...]):
    if words[0] == "plots":
        words = ("plots", "show", "--out", "data/plots")
    done = command(by_dvc[0], "dvc", *words)
    assert done.returncode == 0, done.stderr
    if words[0] in {"metrics", "dag"}:
        assert "train_gan" in done.stdout


def test_no_stage_leaves_unfinished_work(by_dvc, by_flow):
    for folder, _ in (by_dvc, by_flow):
        assert not list((folder / "data").rglob(".partial"))


def test_the_private_scores_are_nowhere_else(by_dvc):
    folder, _ = by_dvc
    import pyarrow.parquet as pq

    ids = pq.read_table(folder / "data/audit/private/scores.parquet").column("id").to_pylist()
    public = [
        path
        for path in (folder / "data").rglob("*")
        if path.is_file() and path.suffix in {".json", ".csv", ".html", ".md"}
    ]
    assert ids
    for path in public:
        text = path.read_text(encoding="utf-8")
        assert not any(one in text for one in ids[:50]), path
