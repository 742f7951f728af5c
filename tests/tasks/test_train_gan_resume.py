"""The stage train_gan, killed and resumed."""

import signal
import time
from typing import Any

import numpy as np
import pytest

from mintmark.data.images import write_images
from tasks.train_gan import run
from tests.tasks.learning import OUTS, PRIVATE, SECTION, outs_of, params_of, start, stop_after, write_split


def test_a_killed_training_resumes_and_ends_at_the_same_bytes(tmp_path, toy_images):
    section = SECTION | {"steps": 300, "checkpoint_every": 20, "history_every": 10}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for root in (whole, killed):
        write_split(root, toy_images(num=60), toy_images(num=30, seed=1))
    straight = start(whole, section)
    interrupted = start(killed, section)
    deadline = time.monotonic() + 120
    while not list((killed / "data").glob("train_gan/.partial/*/checkpoint.safetensors")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.5))  # any moment will do, so every run tries another
    interrupted.send_signal(signal.SIGKILL)
    interrupted.communicate()
    assert interrupted.returncode == -signal.SIGKILL
    assert "generator.safetensors" not in outs_of(killed / "data")
    resumed = start(killed, section)
    said, _ = resumed.communicate(timeout=200)
    straight.communicate(timeout=200)
    assert resumed.returncode == straight.returncode == 0
    assert "going on from the checkpoint at step" in said
    assert outs_of(killed / "data") == outs_of(whole / "data")
    assert {path.name for path in (killed / "data" / "train_gan").iterdir()} == OUTS


@pytest.mark.parametrize("change", ["nothing", "seed", "recipe", "data"])
def test_only_the_same_params_and_data_resume(gan_dir, toy_images, monkeypatch, capsys, change):
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(params_of(), gan_dir)
    changes: dict[str, Any] = {}
    if change == "seed":
        changes = {"seed": 2}
    elif change == "recipe":
        changes = {"recipe": SECTION["recipe"] | {"r1_weight": 0.1}}
    elif change == "data":
        write_images(gan_dir / "split" / "train.parquet", toy_images(num=60, seed=3))
    run(params_of(**changes), gan_dir)
    assert ("going on from the checkpoint at step 4" in capsys.readouterr().out) is (change == "nothing")
    assert {path.name for path in (gan_dir / "train_gan").iterdir()} == OUTS


def test_private_training_goes_on_after_an_end_to_the_same_bytes(gan_dir, monkeypatch):
    run(params_of(**PRIVATE), gan_dir)
    whole = {name: (gan_dir / "train_gan" / name).read_bytes() for name in OUTS}
    for name in OUTS:
        (gan_dir / "train_gan" / name).unlink()

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tasks.train_gan._write_weights", killed)
        with pytest.raises(KeyboardInterrupt):
            run(params_of(**PRIVATE), gan_dir)
    assert list((gan_dir / "train_gan" / ".partial").glob("*/checkpoint.safetensors"))  # of step 4 of 5
    run(params_of(**PRIVATE), gan_dir)
    assert {name: (gan_dir / "train_gan" / name).read_bytes() for name in OUTS} == whole
