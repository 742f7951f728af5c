"""What DVC and Prefect cost: the flow beside the bare stages, a run with nothing to do beside `dvc status`.

python -m bench.orchestration            the default data and params
python -m bench.orchestration --quick    tiny params: proves that it runs
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML

from bench.reporting import at_most, finish
from flows.server import api_url, server
from mintmark.progress import track

ROOT = Path(__file__).resolve().parents[1]
PORT = 4719
REPETITIONS = 5
# The stage's own work: imports done before the clock starts, as when a function is called.
BARE = """
import importlib, runpy, sys, time
importlib.import_module(sys.argv[1])
start = time.perf_counter()
runpy.run_module(sys.argv[1], run_name="__main__")
print(time.perf_counter() - start, file=sys.stderr)
"""
IMPORTS = """
import importlib, json, sys, time
start = time.perf_counter()
importlib.import_module(sys.argv[1])
heavy = ("torch", "great_expectations", "pandas", "sklearn", "scipy", "statsmodels", "matplotlib", "dvc", "prefect")
print(json.dumps({"seconds": time.perf_counter() - start, "heavy": [name for name in heavy if name in sys.modules]}))
"""


def clone(folder: Path, *, quick: bool) -> Path:
    """A checkout of the last commit, with its own cache."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    if quick:
        yaml = YAML()
        params = yaml.load(folder / "params.yaml")
        _update(params, yaml.load(ROOT / "tests" / "tiny.yaml"))
        yaml.dump(params, folder / "params.yaml")
    return folder


def _update(section: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _update(section[key], value)
        else:
            section[key] = value


def bare_seconds(folder: Path, stages: list[str]) -> dict[str, float]:
    """Each stage's own work, one after the other."""
    spent = {}
    for stage in track(stages, "bare-stages"):
        done = _python(folder, "-c", BARE, f"tasks.{stage}")
        spent[stage] = float(done.stderr.splitlines()[-1])
    return spent


def seconds_of(folder: Path, *words: str, **more: str) -> float:
    """Wall time of one command."""
    start = time.perf_counter()
    _python(folder, *words, **more)
    return time.perf_counter() - start


def import_profile(modules: list[str]) -> dict[str, Any]:
    """For each module, the seconds that its import takes and the heavy libraries that it brings."""
    return {one: json.loads(_python(ROOT, "-c", IMPORTS, one).stdout) for one in track(modules, "imports")}


def _python(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(folder), "PATH": path} | more
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[-3:])} failed: {(done.stdout + done.stderr)[-2000:]}")
    return done


def main(*, quick: Annotated[bool, typer.Option(help="Tiny params: proves that it runs.")] = False) -> None:
    """Measure in fresh clones, on one machine, in one run."""
    stages = list(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.environ["PREFECT_HOME"] = str(work / "prefect")
        checkout = clone(work / "checkout", quick=quick)
        os.chdir(work)
        with server(PORT):
            api = {"PREFECT_API_URL": api_url(PORT)}
            bare = bare_seconds(clone(work / "bare", quick=quick), stages)
            flow = seconds_of(checkout, "-m", "flows.pipeline", **api)
            status, repro, no_op = [], [], []
            for _ in range(REPETITIONS):  # in turn, so that what else the machine does falls on all alike
                status.append(seconds_of(checkout, "-m", "dvc", "status"))
                repro.append(seconds_of(checkout, "-m", "dvc", "repro"))
                no_op.append(seconds_of(checkout, "-m", "flows.pipeline", **api))
        os.chdir(ROOT)
        shutil.rmtree(work / "bare")
    ratios = [one / other for one, other in zip(repro, status, strict=True)]
    goals = [
        at_most(1.15, "flow over the sum of the bare stages", [flow / sum(bare.values())], unit="ratio"),
        at_most(1.5, "dvc repro with nothing to do over dvc status", ratios, unit="ratio"),
        at_most(6.0, "flow with nothing to do, on a running server", no_op, unit="s"),
    ]
    details = {
        "quick": quick,
        "repetitions": REPETITIONS,
        "flow_s": flow,
        "bare_s": bare,
        "dvc_status_s": statistics.median(status),
        "imports": import_profile(["flows.pipeline", *(f"tasks.{stage}" for stage in stages)]),
    }
    finish("orchestration", goals, details)


if __name__ == "__main__":
    typer.run(main)
