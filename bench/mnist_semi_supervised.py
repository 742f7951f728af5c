"""The error on MNIST's test images with 100 labels and 59,900 images without: semi-supervised GAN, then its student."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64

from bench.reporting import Goal, at_most
from mintmark.classify import training
from mintmark.classify.augmentation import Augmentation
from mintmark.classify.model import logits
from mintmark.data.idx import read_header
from mintmark.data.images import to_unit
from mintmark.progress import track
from mintmark.semi_supervised.model import SemiSupervised
from mintmark.semi_supervised.recipe import Recipe
from mintmark.semi_supervised.student import train_student
from mintmark.semi_supervised.training import train

NUM_CLASSES = 10
LABELS_A_CLASS = 10
SEED = 0
SHARE = 0.8  # of a student's batch that unlabelled images take
AUGMENTATION = Augmentation(shift=0.05, rotation=8.0, scale=0.08)
CLASSIFIER = training.Recipe(
    steps=3000, batch_size=64, learning_rate=5e-3, weight_decay=0.02, width=16, augmentation=AUGMENTATION
)
GAN = Recipe(
    form="dense",
    steps=60_000,
    latent_size=100,
    generator_width=400,
    discriminator_width=600,
    input_noise=0.5,
    hidden_noise=0.5,
    labelled_batch_size=50,
    batch_size=100,
    learning_rate=3e-3,
    beta1=0.5,
    adversarial_weight=1.0,
    augmentation=AUGMENTATION,
    ema_decay=0.998,
    precision="auto",
)


def mnist_goal(folder: Path, *, quick: bool) -> tuple[Goal, dict[str, Any]]:
    """The student's error, and those of its teacher and of the same classifier without one, in percent."""
    classifier, gan = (replace(CLASSIFIER, steps=5), replace(GAN, steps=5)) if quick else (CLASSIFIER, GAN)
    images, known = _read(folder, "train")
    codes = _few(known)
    steps = train(images, codes, num_classes=NUM_CLASSES, recipe=gan, seed=SEED)
    *_, last = track(steps, "mnist-gan", total=gan.steps)
    teacher = SemiSupervised(network=last.state.average)
    beliefs = teacher.probabilities(images)
    student = train_student(images, codes, beliefs, share=SHARE, recipe=classifier, seed=SEED)
    alone = training.train_classifier(images, codes, num_classes=NUM_CLASSES, recipe=classifier, seed=SEED)
    test, truth = _read(folder, "t10k")
    answers = {
        "classifier with augmentation": logits(alone, test),
        "discriminator": teacher.probabilities(test),
        "student": logits(student, test),
    }
    errors = {name: 100 * float((one.argmax(dim=1).numpy() != truth).mean()) for name, one in answers.items()}
    goal = at_most(2.0, "MNIST, 100 labels: error of the student", [errors["student"]], unit="%")
    return goal, {"errors": errors, "gan_steps": gan.steps, "classifier_steps": classifier.steps}


def _few(known: Int64[np.ndarray, " n"]) -> Int64[torch.Tensor, " n"]:
    """Ten labels a class, -1 elsewhere."""
    rng = np.random.default_rng(SEED)
    few = np.full(len(known), -1)
    for code in range(NUM_CLASSES):
        few[rng.permutation(np.flatnonzero(known == code))[:LABELS_A_CLASS]] = code
    return torch.from_numpy(few)


def _read(folder: Path, part: str) -> tuple[Float[torch.Tensor, "n 1 28 28"], Int64[np.ndarray, " n"]]:
    pixels, codes = (_array(folder / f"{part}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    return to_unit(pixels[..., None]), codes.astype(np.int64)


def _array(path: Path) -> np.ndarray:
    stored = read_header(path)
    with stored.open() as stream:
        return np.frombuffer(stream.read(), stored.dtype).reshape(stored.shape)
