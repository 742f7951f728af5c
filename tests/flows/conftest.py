"""A small DVC project for the flow to run, and one Prefect server for the whole session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

import flows  # noqa: F401 - before Prefect: turns telemetry off

DVC_YAML = """
stages:
  first:
    cmd: python work.py first
    deps: [work.py, source.txt]
    outs: [data/first/out.txt]
  left:
    cmd: python work.py left
    deps: [work.py, data/first/out.txt]
    outs: [data/left/out.txt]
  right:
    cmd: python work.py right
    deps: [work.py, data/first/out.txt]
    params: [right]
    outs: [data/right/out.txt]
  last:
    cmd: python work.py last
    deps: [data/left/out.txt, data/right/out.txt]
    outs: [data/last/out.txt]
"""

WORK = """
import pathlib, sys, time
name = sys.argv[1]
orders = pathlib.Path(f"{name}.order").read_text() if pathlib.Path(f"{name}.order").exists() else ""
print(f"hello from {name}", flush=True)
print(f"progress {name}-steps 1/4", file=sys.stderr, flush=True)
if orders == "fail":
    sys.exit(f"{name}: cannot do its work")
if orders.startswith("sleep"):
    child = __import__("subprocess").Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path(f"{name}.pids").write_text(f"{__import__('os').getpid()} {child.pid}")
    time.sleep(60)
pathlib.Path("data", name).mkdir(parents=True, exist_ok=True)
colour = pathlib.Path("params.yaml").read_text().partition("colour: ")[2].split()[0] if name == "right" else ""
pathlib.Path("data", name, "out.txt").write_text(name + colour)
"""

PARAMS = """
right:
  colour: red # a comment to be kept
  steps: 3
"""


@pytest.fixture(scope="session")
def prefect_server():
    with prefect_test_harness(server_startup_timeout=120):
        yield


def make_project(folder: Path) -> Path:
    """A git and DVC checkout with four quick stages: first, then left and right, then last."""
    files = {"dvc.yaml": DVC_YAML, "work.py": WORK, "params.yaml": PARAMS, "source.txt": "source"}
    for name, text in files.items():
        (folder / name).write_text(text)
    dvc = f"{sys.executable} -m dvc"
    for command in ("git init -q", f"{dvc} init -q", f"{dvc} config core.analytics false"):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy checkout, as the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return make_project(tmp_path)


@pytest.fixture(scope="module")
def served_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy checkout with this repository's flows and deployments in it, and a Prefect home of its own beside it."""
    folder = make_project(tmp_path_factory.mktemp("checkout"))
    for name in ("flows", "tasks", "mintmark", "prefect.yaml"):
        (folder / name).symlink_to(Path(__file__).parents[2] / name)
    return folder
