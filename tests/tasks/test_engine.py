"""The same bytes from processes of this machine, from a Dask cluster and from Ray."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from joblib.parallel import get_active_backend
from ruamel.yaml import YAML

from mintmark.errors import BadInput
from tasks.engine import engine
from tests.checkout import TINY, update

ROOT = Path(__file__).resolve().parents[2]
BEFORE_GANS = ("ingest", "validate", "split", "train_gan")
BEFORE_CONTEST = (*BEFORE_GANS, "generate", "anonymise")
pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(600)]


def environment(folder: Path, **more: str) -> dict[str, str]:
    bare = {key: value for key, value in os.environ.items() if not key.startswith("MINTMARK_ENGINE")}
    return bare | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"} | more


def run_stage(stage: str, folder: Path, **more: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tasks.{stage}"],
        cwd=folder,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def prepare(folder: Path, *stages: str, num_classifiers: int) -> Path:
    """A folder with tiny params, in which some stages have run, and two shadow GANs are asked for."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(ROOT / "params.yaml")
    update(params, TINY)
    shadow = {"num_classifiers": num_classifiers, "num_generators": 2, "classifiers": "one_by_one"}
    update(params["shadow"], shadow)
    yaml.dump(params, folder / "params.yaml")
    for stage in stages:
        run_stage(stage, folder)
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where shadow GANs can be trained."""
    return prepare(tmp_path_factory.mktemp("prepared"), *BEFORE_GANS, num_classifiers=0)


def outputs(folder: Path, *stages: str) -> dict[str, bytes]:
    """Every file that the stages wrote, but pictures."""
    files = [path for stage in stages for path in (folder / "data" / stage).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.suffix != ".png"}


def fan_out(prepared: Path, folder: Path, *stages: str, **more: str) -> dict[str, bytes]:
    shutil.copytree(prepared, folder)
    for stage in stages:
        run_stage(stage, folder, **more)
    return outputs(folder, *stages)


@pytest.fixture(scope="module")
def on_loky(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return fan_out(prepared, tmp_path_factory.mktemp("loky") / "run", "shadow")


@pytest.fixture(scope="module")
def dask_scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Dask cluster as an administrator starts one: a scheduler and two workers, each a process, on loopback."""
    pytest.importorskip("distributed", reason="Dask is not installed")
    folder = tmp_path_factory.mktemp("dask")
    log = folder / "scheduler.log"
    with ExitStack() as stack:

        def start(*words: str, log: Path) -> None:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=folder,
                env=environment(folder, DASK_DISTRIBUTED__DIAGNOSTICS__NVML="False"),
                stdout=stack.enter_context(log.open("w")),
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)

        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", log=log)
        address = said(log, r"Scheduler at:\s+(tcp://\S+)")
        for number in range(2):
            words = ("worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--no-nanny")
            worker_log = folder / f"worker-{number}.log"
            start(*words, log=worker_log)
            said(worker_log, r"(Registered to)")
        yield address


def said(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = re.search(pattern, log.read_text())
        if found:
            return found[1]
        time.sleep(0.2)
    raise AssertionError(log.read_text())


def test_a_dask_cluster_gives_the_same_bytes(
    prepared: Path, on_loky: dict[str, bytes], dask_scheduler: str, tmp_path: Path
):
    cluster = {"MINTMARK_ENGINE": "dask", "MINTMARK_ENGINE_ADDRESS": dask_scheduler}
    assert fan_out(prepared, tmp_path / "run", "shadow", **cluster) == on_loky


@pytest.mark.nightly
def test_ray_gives_the_same_bytes(prepared: Path, on_loky: dict[str, bytes], tmp_path: Path):
    pytest.importorskip("ray", reason="Ray is not installed")
    assert fan_out(prepared, tmp_path / "run", "shadow", MINTMARK_ENGINE="ray") == on_loky


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["dask", "ray"])
def test_the_contest_and_the_audit_give_the_same_bytes_too(dask_scheduler: str, tmp_path: Path, name: str):
    before = tmp_path / "before"
    before.mkdir()
    prepare(before, *BEFORE_CONTEST, num_classifiers=2)
    cluster = {"MINTMARK_ENGINE": name} | ({"MINTMARK_ENGINE_ADDRESS": dask_scheduler} if name == "dask" else {})
    stages = ("evaluate", "shadow", "cluster", "audit")
    assert fan_out(before, tmp_path / "other", *stages, **cluster) == fan_out(before, tmp_path / "loky", *stages)


def test_an_engine_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MINTMARK_ENGINE", "spark")
    with pytest.raises(BadInput, match="MINTMARK_ENGINE: expected one of loky, dask, ray, got 'spark'"):
        engine(workers=2)
    for name, package in (("dask", "distributed"), ("ray", "ray")):
        monkeypatch.setenv("MINTMARK_ENGINE", name)
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(BadInput, match=f"MINTMARK_ENGINE={name}: .* install it with"), engine(workers=2):
            pass


def test_an_address_where_nobody_answers_is_named(prepared: Path, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "tasks.shadow"],
        cwd=prepared,
        env=environment(prepared, MINTMARK_ENGINE="dask", MINTMARK_ENGINE_ADDRESS="tcp://127.0.0.1:9"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "MINTMARK_ENGINE_ADDRESS: expected a Dask scheduler" in done.stderr
    assert "Traceback" not in done.stderr


def test_loky_needs_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MINTMARK_ENGINE", raising=False)
    with engine(workers=1):
        assert type(get_active_backend()[0]).__name__ == "LokyBackend"
