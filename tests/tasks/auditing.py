"""Tiny inputs of the stage audit, and its params, for the tests that are split by subject."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from mintmark.classify.model import save_classifier
from mintmark.classify.training import Recipe, train_classifier
from mintmark.data.images import ImageSet, write_images
from mintmark.gan.model import save_discriminator, save_generator
from mintmark.gan.networks import Discriminator, Generator
from mintmark.privacy.generator import Search
from mintmark.privacy.memorised import Drill
from mintmark.privacy.strangers import mixtures
from mintmark.privacy.summary import Precision
from mintmark.privacy.trials import Plan
from mintmark.shadow.store import write_index
from tasks import anonymise
from tasks.audit import Params

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe(steps=20, batch_size=16, learning_rate=5e-3, weight_decay=0.0, width=4)
ANONYMISE = anonymise.Params(
    seed=0,
    threads=1,
    filter="near_copies",
    quantile=0.01,
    neighbours=1,
    min_class_records=10,
    shifts=1,
    flip=False,
    min_class_released=0,
)
DRILL = Drill(steps=20, batch_size=16, learning_rate=3e-3, width=4)
PARAMS = Params(
    seed=0,
    threads=1,
    workers=1,
    max_records=1000,
    false_failure=0.01,
    blind_permutations=400,
    blind_records=200,
    precision=Precision(fpr=0.02, low_fpr=0.001, resamples=200, power=0.9, grid=(0.05, 0.2, 1.0), simulations=50),
    plan=Plan(
        min_class_records=5,
        leaked_share=0.1,
        negative_draws=2,
        memorised_records=60,
        auxiliary=RECIPE,
        search=Search(own_samples=60, steps=2, learning_rate=0.05, max_records=1000),
        questions=("nearest", "density"),
        memorise=replace(RECIPE, steps=60, width=8, learning_rate=1e-2),
        overfit=replace(DRILL, steps=60),
        stranger_classifier=RECIPE,
        stranger_discriminator=DRILL,
    ),
)


def build(data_dir: Path, digits: ImageSet) -> Path:
    """Everything that the audit reads: an honest release of strangers' mixtures, and models that learnt little."""
    rows = np.random.default_rng(0).permutation(len(digits))
    train, test, reference, validation = (digits.take(part) for part in np.split(rows[:750], [240, 480, 600]))
    for name, images in (("train", train), ("test", test), ("reference", reference), ("validation", validation)):
        write_images(data_dir / "split" / f"{name}.parquet", images)
    honest = mixtures(reference, num=150, rng=np.random.default_rng(1))
    write_images(data_dir / "generate" / "synthetic.parquet", honest)
    anonymise.run(ANONYMISE, data_dir)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(8, 8, 1), num_classes=10, latent_size=4, width=4)
        discriminator = Discriminator(shape=(8, 8, 1), num_classes=10, width=4)
    folder = data_dir / "train_gan"
    save_generator(folder / "generator.safetensors", generator, classes=digits.classes, facts={})
    save_discriminator(folder / "discriminator.safetensors", discriminator, classes=digits.classes, facts={})
    network = train_classifier(*honest.tensors(), num_classes=10, recipe=RECIPE, seed=0)
    save_classifier(data_dir / "evaluate" / "classifier.safetensors", network, classes=digits.classes, facts={})
    write_index(data_dir / "shadow" / "models", classifiers=[], gans=[], twins=[], facts={})
    write_clusters(data_dir, {"train": train, "test": test})
    return data_dir


def write_clusters(data_dir: Path, parts: dict[str, ImageSet]) -> None:
    """Two clusters: the odd and the even digits."""
    ids = [one for images in parts.values() for one in images.ids]
    nearest = np.concatenate([images.codes % 2 for images in parts.values()])
    names = [name for name, images in parts.items() for _ in images.ids]
    (data_dir / "cluster").mkdir()
    pq.write_table(
        pa.table({"id": ids, "nearest": nearest, "part": names}), data_dir / "cluster" / "assignments.parquet"
    )
