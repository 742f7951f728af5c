"""The stage train_gan in two processes: started, killed, resumed, refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from ruamel.yaml import YAML

from mintmark.data.images import write_images
from mintmark.errors import BadInput
from tasks.processes import spread

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "device": "cpu",
    "steps": 60,
    "checkpoint_every": 4,
    "history_every": 2,
    "recipe": {
        "latent_size": 4,
        "generator_width": 4,
        "discriminator_width": 4,
        "batch_size": 12,
        "augmentation": {"cutout": 0.25},
        "precision": "float32",
    },
}
PATIENCE = 200


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return base | {key: merged(base[key], one) if isinstance(one, dict) else one for key, one in changes.items()}


@pytest.fixture
def folder(tmp_path, toy_images) -> Path:
    return prepare(tmp_path, toy_images)


def prepare(folder: Path, toy_images, **recipe: Any) -> Path:
    yaml = YAML(typ="safe", pure=True)
    section = merged(yaml.load(ROOT / "params.yaml")["train_gan"], TINY)
    folder.mkdir(exist_ok=True)
    yaml.dump({"train_gan": merged(section, {"recipe": recipe})}, folder / "params.yaml")
    for seed, part in enumerate(("train", "validation")):
        write_images(folder / "data" / "split" / f"{part}.parquet", toy_images(num=30, seed=seed))
    return folder


def start(folder: Path) -> subprocess.Popen[str]:
    """The stage's own command in two processes, leading a group as under the flow."""
    return subprocess.Popen(
        [sys.executable, "-m", "tasks.train_gan"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MINTMARK_PROCESSES": "2"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def outs_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "data" / "train_gan").iterdir() if path.is_file()}


def workers_of(starter: subprocess.Popen[str]) -> list[psutil.Process]:
    deadline = time.monotonic() + PATIENCE
    while len(found := psutil.Process(starter.pid).children(recursive=True)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def end(starter: subprocess.Popen[str], how: signal.Signals) -> None:
    """End the starter's process group, and see that the workers, each in a session of its own, go too."""
    workers = workers_of(starter)
    assert all(os.getpgid(one.pid) != starter.pid for one in workers)
    os.killpg(starter.pid, how)
    starter.communicate(timeout=PATIENCE)
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE / 2)
    for one in alive:
        one.kill()
    assert not alive


@pytest.mark.nightly  # by day two processes are started and ended, and one is killed and resumed
@pytest.mark.pipeline
@pytest.mark.timeout(600)
def test_two_processes_killed_without_orphans_resume_and_end_at_the_same_bytes(tmp_path, toy_images):
    whole, killed = (prepare(tmp_path / name, toy_images) for name in ("whole", "killed"))
    interrupted, straight = start(killed), start(whole)
    deadline = time.monotonic() + PATIENCE
    while not list((killed / "data").glob("train_gan/.partial/*/checkpoint.safetensors")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    end(interrupted, signal.SIGKILL)
    assert "generator.safetensors" not in outs_of(killed)
    resumed = start(killed)
    said, progress = resumed.communicate(timeout=PATIENCE)
    straight.communicate(timeout=PATIENCE)
    assert (resumed.returncode, straight.returncode) == (0, 0), progress
    assert said.count("going on from the checkpoint at step") == 1
    assert progress.count("progress gan-steps") == progress.count("\n")
    assert outs_of(killed) == outs_of(whole)
    assert not (killed / "data" / "train_gan" / ".partial").exists()


@pytest.mark.pipeline
@pytest.mark.timeout(600)
def test_nobody_outlives_a_sigterm_and_nobody_listens_beyond_loopback(folder):
    starter = start(folder)
    everyone = [psutil.Process(starter.pid), *workers_of(starter)]
    deadline = time.monotonic() + PATIENCE
    while sum(map(len, listening := [ports(one) for one in everyone])) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    end(starter, signal.SIGTERM)
    assert {address for found in listening for address in found} == {"127.0.0.1"}


def ports(process: psutil.Process) -> list[str]:
    """The addresses at which a process listens."""
    return [one.laddr.ip for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]


@pytest.mark.pipeline
@pytest.mark.timeout(600)
def test_a_batch_that_two_cannot_share_ends_all_with_its_reason(tmp_path, toy_images):
    starter = start(prepare(tmp_path, toy_images, batch_size=13))
    _, said = starter.communicate(timeout=PATIENCE)
    assert starter.returncode == 1
    assert "train_gan: batch_size must be a multiple of the 2 processes, got 13" in said
    assert "of 2 ended with exit code" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (tmp_path / "data" / "train_gan").exists()


@pytest.mark.parametrize("text", ["two", "0", "-1", "1.5", ""])
def test_a_number_of_processes_that_is_none_is_refused_by_name(monkeypatch, text):
    monkeypatch.setenv("MINTMARK_PROCESSES", text)
    with pytest.raises(BadInput, match=f"MINTMARK_PROCESSES: expected a whole number of at least 1, got '{text}'"):
        spread("tasks.train_gan", lambda *_: None)(None, Path())


def test_one_process_runs_the_stage_itself(monkeypatch):
    monkeypatch.setenv("MINTMARK_PROCESSES", "1")
    seen = []
    spread("tasks.train_gan", lambda *arguments: seen.append(arguments))("params", Path("data"))
    assert seen == [("params", Path("data"))]


def test_more_processes_than_gpus_are_refused(monkeypatch):
    from tasks.processes import joined

    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(BadInput, match="expected at most 2, one for each CUDA device"), joined(torch.device("cuda")):
        pass
