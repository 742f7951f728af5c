"""Stages share GPUs through a limit on a real Prefect server. No GPU is needed: what is shared is their names."""

import json
from itertools import combinations
from pathlib import Path
from platform import node

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from flows import gpus
from flows.pipeline import pipeline

from .servers import client, deployment, eventually, serving

NAMES = ("a", "b", "c", "d")
WORK = """
import json, os, pathlib, sys, time
name = sys.argv[1]
start = time.monotonic()
time.sleep(1.5)
seen = {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "start": start, "end": time.monotonic()}
pathlib.Path(f"{name}.seen").write_text(json.dumps(seen))
pathlib.Path("data", name).mkdir(parents=True, exist_ok=True)
pathlib.Path("data", name, "out.txt").write_text(name)
"""


@pytest.fixture
def four_stages(project: Path) -> Path:
    """Four stages that may run at once, and want a GPU where there is one."""
    stages = {
        one: {"cmd": f"python work.py {one}", "deps": ["work.py"], "outs": [f"data/{one}/out.txt"]} for one in NAMES
    }
    (project / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    (project / "work.py").write_text(WORK)
    (project / "params.yaml").write_text("".join(f"{one}: {{device: auto}}\n" for one in NAMES))
    return project


def seen(project: Path) -> list[dict]:
    return [json.loads((project / f"{one}.seen").read_text()) for one in NAMES]


@pytest.mark.pipeline
def test_as_many_stages_at_once_as_gpus_each_with_one_of_its_own(
    four_stages: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(gpus.VISIBLE, "5,7")
    monkeypatch.setattr(gpus, "node", lambda: "two")
    assert pipeline(deploy_to=None, return_state=True).is_completed()
    found = seen(four_stages)
    assert {one["gpu"] for one in found} == {"5", "7"}
    both = [pair for pair in combinations(found, 2) if pair[0]["start"] < pair[1]["end"] > pair[0]["start"]]
    at_once = [pair for pair in both if pair[1]["start"] < pair[0]["end"]]
    assert at_once  # two did run at the same time
    assert all(one["gpu"] != other["gpu"] for one, other in at_once)
    with get_client(sync_client=True) as client:
        limit = client.read_global_concurrency_limit_by_name("gpus-two")
    assert (limit.limit, limit.active_slots) == (2, 0)


@pytest.mark.pipeline
def test_without_a_gpu_nothing_waits_and_no_limit_is_made(
    four_stages: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(gpus.VISIBLE, "")
    assert pipeline(deploy_to=None, return_state=True).is_completed()
    assert {one["gpu"] for one in seen(four_stages)} == {""}
    with get_client(sync_client=True) as client, pytest.raises(ObjectNotFound):
        client.read_global_concurrency_limit_by_name(f"gpus-{node()}")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_stage_wants_a_gpu_if_its_params_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(f"train: {{device: {device}}}")
    assert gpus.wants_gpu("train")
    assert gpus.wants_gpu("train@1")


@pytest.mark.parametrize(
    "params", ["train: {device: cpu}", "train: {steps: 3}", "train: 3", "other: {device: auto}", "", None]
)
def test_other_stages_want_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: str | None):
    monkeypatch.chdir(tmp_path)
    if params is not None:
        Path("params.yaml").write_text(params)
    assert not gpus.wants_gpu("train")


@pytest.mark.parametrize(("visible", "found"), [("", []), ("-1", []), ("0", ["0"]), ("2, GPU-8f", ["2", "GPU-8f"])])
def test_the_environment_says_which_gpus_there_are(monkeypatch: pytest.MonkeyPatch, visible: str, found: list[str]):
    monkeypatch.setenv(gpus.VISIBLE, visible)
    assert gpus.gpus() == found


@pytest.mark.parametrize(("exit_code", "found"), [(0, ["0", "1"]), (9, [])])
def test_else_the_driver_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int, found: list[str]):
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.gpus() == []  # no driver
    driver = tmp_path / "nvidia-smi"
    lines = "GPU 0: NVIDIA H100 (UUID: GPU-1)\nGPU 1: NVIDIA H100 (UUID: GPU-2)"
    driver.write_text(f"#!/bin/sh\nprintf '{lines}\n'\nexit {exit_code}\n")
    driver.chmod(0o755)
    assert gpus.gpus() == found


def test_stages_beyond_the_gpus_share_the_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(gpus, "_lock", lambda gpu: tmp_path / gpu)
    with gpus._free(["0", "1"]) as one, gpus._free(["0", "1"]) as two, gpus._free(["0", "1"]) as three:
        assert (one, two, three) == ("0", "1", "0")
    with gpus._free(["0", "1"]) as again:
        assert again == "0"


@pytest.mark.pipeline
@pytest.mark.nightly
def test_a_killed_run_gives_its_slot_back(served_checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(gpus.VISIBLE, "0")  # what is served here, and its runs, see one GPU
    with (served_checkout / "params.yaml").open("a") as params:
        params.write("first: {device: cuda}\n")
    (served_checkout / "first.order").write_text("sleep")
    with serving(served_checkout) as (_, port), client(port) as api:
        api.create_flow_run_from_deployment(deployment(api, "on-demand").id, state=Scheduled())
        eventually((served_checkout / "first.pids").exists)
        held = lambda: api.read_global_concurrency_limit_by_name(f"gpus-{node()}").active_slots  # noqa: E731
        assert held() == 1
        stage = psutil.Process(int((served_checkout / "first.pids").read_text().split()[0]))
        guard = next(one for one in stage.parents() if any("guard.py" in word for word in one.cmdline()))
        guard.parent().kill()  # the run itself  # type: ignore[union-attr]
        eventually(lambda: held() == 0, 180)
