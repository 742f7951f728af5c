"""Tiny inputs of the stage detect, and its params, for the tests that are split by subject."""

import dataclasses
from pathlib import Path

import torch

from mintmark.anomaly.anogan import Search
from mintmark.anomaly.embedding import Embedding
from mintmark.anomaly.family import NearestRecipe, PcaRecipe
from mintmark.anomaly.measurements import Rates
from mintmark.anomaly.screening import Planting, Screening
from mintmark.classify.model import save_classifier
from mintmark.classify.networks import LinearClassifier
from mintmark.data.images import read_images, synthetic_ids, write_images
from mintmark.gan.model import save_discriminator, save_generator
from mintmark.gan.networks import Discriminator, Generator
from tasks.detect import Params
from tasks.params import load

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = load("detect", Params, path=ROOT / "params.yaml")
KINDS = ("pca_residual", "nearest", "anogan", "combination")
JUDGED = (*KINDS, "guard")
REJECTERS = ("combination", "guard", "confidence", "guard_and_confidence")
PARAMS = Params(
    seed=0,
    threads=1,
    device="cpu",
    level=0.95,
    rates=Rates(novelty=0.1, anomaly=0.02),
    reference_share=0.5,
    max_records=40,
    corruptions={"erase_block": 0.6, "invert": 1.0},
    detectors=KINDS,
    recipes=dataclasses.replace(
        DEFAULT.recipes,
        pca_residual=PcaRecipe(num_components=4),
        nearest=NearestRecipe(num_neighbours=1),
        anogan=Search(
            num_steps=3, learning_rate=0.1, num_starts=2, bank_per_class=4, feature_weight=0.1, norm=1.0, batch_size=64
        ),
    ),
    guard=PcaRecipe(num_components=3),
    corrupted_share=0.25,
    embedding=Embedding(max_records=10, mildness=0.3, perplexity=5.0),
    screening=Screening(
        folds=dataclasses.replace(
            DEFAULT.screening.folds, number=2, recipe=dataclasses.replace(DEFAULT.screening.folds.recipe, steps=40)
        ),
        num_neighbours=3,
        most_suspects=4,
        planting=Planting(share=0.1, draws=2, level=0.95),
    ),
)


def write_networks(folder: Path, *, size: int = 8) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(shape=(size, size, 1), num_classes=3, latent_size=4, width=4)
        discriminator = Discriminator(shape=(size, size, 1), num_classes=3, width=4)
    classes = ("class-0", "class-1", "class-2")
    save_generator(folder / "generator.safetensors", generator, classes=classes, facts={})
    save_discriminator(folder / "discriminator.safetensors", discriminator, classes=classes, facts={})


def write_classifier(path: Path, *, classes: tuple[str, ...]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_classifier(path, LinearClassifier((8, 8, 1), len(classes)), classes=classes, facts={})


def write_inputs(folder: Path, toy_images) -> Path:
    """All that the stage reads, under `folder`/data, which is given back."""
    for seed, (part, num) in enumerate((("train", 60), ("validation", 40), ("test", 60))):
        write_images(folder / "data" / "split" / f"{part}.parquet", toy_images(num=num, seed=seed))
    made = toy_images(num=90, seed=3)
    made = dataclasses.replace(made, ids=synthetic_ids(made.images, first=0))
    write_images(folder / "data" / "anonymise" / "release.parquet", made)
    write_networks(folder / "data" / "train_gan")
    write_classifier(folder / "data" / "evaluate" / "classifier.safetensors", classes=made.classes)
    return folder / "data"


def images_of(path: Path) -> torch.Tensor:
    return read_images(path).tensors()[0]
