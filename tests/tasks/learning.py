"""Tiny inputs of the stage train_gan, and its params, for the tests that are split by subject."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from mintmark.data.images import ImageSet, write_images
from tasks.params import build
from tasks.train_gan import TRAINED_HERE, Params

ROOT = Path(__file__).resolve().parents[2]
SECTION = {
    "seed": 1,
    "threads": 1,
    "device": "cpu",
    "deterministic": True,
    "steps": 5,
    "source": TRAINED_HERE,
    "checkpoint_every": 2,
    "history_every": 2,
    "pseudo_labels": None,
    "privacy": None,
    "recipe": {
        "loss": "relativistic",
        "conditioning": "projection",
        "classifier_weight": 1.0,
        "latent_size": 4,
        "generator_width": 4,
        "discriminator_width": 4,
        "batch_size": 12,
        "generator_learning_rate": 1.0e-3,
        "discriminator_learning_rate": 1.0e-3,
        "beta1": 0.0,
        "beta2": 0.99,
        "r1_weight": 0.05,
        "r2_weight": 0.05,
        "lipschitz_weight": 0.0,
        "penalty_interval": 2,
        "diversity_weight": 1.0,
        "augmentation": {"translation": 0.125, "cutout": 0.25, "colour": 0.2},
        "augmented_below": 1000,
        "adaptive": None,
        "ema_decay": 0.9,
        "precision": "float32",
    },
}
SCARCE = YAML(typ="safe").load(ROOT / "presets" / "scarce.yaml")["train_gan"]["pseudo_labels"]
PSEUDO_LABELS = SCARCE | {"confidence": 0.0, "gan": SCARCE["gan"] | {"steps": 4}}
OUTS = {
    "generator.safetensors",
    "discriminator.safetensors",
    "history.csv",
    "samples.png",
    "report.json",
    "metrics.json",
}
PRIVATE_CHANGES = {"loss": "hinge", "r1_weight": 0.0, "r2_weight": 0.0, "diversity_weight": 0.0}
PRIVATE = {
    "privacy": {"epsilon": 3.0, "delta": 1.0e-3, "max_grad_norm": 1.0},
    "recipe": SECTION["recipe"] | PRIVATE_CHANGES,
}


def params_of(**changes: Any) -> Params:
    return build(Params, SECTION | changes, name="train_gan")


def write_split(root: Path, train: ImageSet, validation: ImageSet) -> Path:
    write_images(root / "data" / "split" / "train.parquet", train)
    write_images(root / "data" / "split" / "validation.parquet", validation)
    return root / "data"


def with_codes(images: ImageSet, codes: np.ndarray) -> ImageSet:
    return dataclasses.replace(images, codes=codes.astype(np.int64))


def outs_of(data_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (data_dir / "train_gan").iterdir() if path.is_file()}


def start(root: Path, section: dict[str, Any]) -> subprocess.Popen[str]:
    """The real command, in a folder of its own."""
    with (root / "params.yaml").open("w") as lines:
        YAML().dump({"train_gan": section}, lines)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tasks.train_gan"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop_after(monkeypatch, num_checkpoints: int) -> None:
    """Break off a training at the given checkpoint, as a kill would."""
    from mintmark.gan import checkpoint

    save, saved = checkpoint.save, []

    def break_off(path, state, history):
        save(path, state, history)
        saved.append(path)
        if len(saved) == num_checkpoints:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", break_off)
