"""The audit's reference models, trained as the targets were, on fresh halves of the pool; none unless asked for.

In: `train` and `test`, which are the pool, and the recipes in the weights of `evaluate` and `train_gan`. Out: the
folder `models/`; see `mintmark.shadow.store`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mintmark.data.images import ImageSet, read_images
from mintmark.errors import BadInput
from mintmark.fan_out import fan_out
from mintmark.files import whole_folder
from mintmark.progress import track
from mintmark.shadow.coins import toss
from mintmark.shadow.recipes import classifier_recipe, gan_recipe
from mintmark.shadow.store import write_coins, write_index
from mintmark.shadow.training import train_shadow_classifier, train_shadow_gan
from tasks.engine import engine
from tasks.params import main


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `shadow`.

    Attributes:
        seed: Of coins, first weights and batches.
        threads: Threads of PyTorch in each worker.
        workers: Processes.
        num_classifiers: Shadow classifiers; even, so that each record has models that were not trained on it.
        num_generators: Shadow GANs; likewise, though one alone can be trained.
    """

    seed: int
    threads: int
    workers: int
    num_classifiers: int
    num_generators: int

    def __post_init__(self) -> None:
        for name in ("threads", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("num_classifiers", "num_generators"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


def run(params: Params, data_dir: Path) -> None:
    """Train the shadow models that are asked for."""
    classifiers = [f"classifier-{place}" for place in range(params.num_classifiers)]
    gans = [f"gan-{place}" for place in range(params.num_generators)]
    with whole_folder((data_dir / "shadow" / "models").resolve()) as folder:  # a worker has a folder of its own
        facts: dict[str, Any] = {}
        if classifiers or gans:
            pool = _pool(data_dir)
            # the two kinds have coins of their own: a record may be known to a classifier and not to a GAN
            for_classifiers = toss(pool.codes, num=len(classifiers), seed=_seed(params, 0))
            for_gans = toss(pool.codes, num=len(gans), seed=_seed(params, 1))
            jobs: list[Callable[[], None]] = []
            if classifiers:
                recipe = classifier_recipe(data_dir / "evaluate" / "classifier.safetensors")
                facts["classifier"] = asdict(recipe)
                train_one = partial(train_shadow_classifier, recipe=recipe, folder=folder, threads=params.threads)
                jobs += _jobs(train_one, pool, dict(zip(classifiers, for_classifiers, strict=True)), _seed(params, 2))
            if gans:
                _check_classes(pool, data_dir)
                gan = gan_recipe(data_dir / "train_gan" / "generator.safetensors")
                facts["gan"] = asdict(gan)
                train_one = partial(train_shadow_gan, recipe=gan, folder=folder, threads=params.threads)
                jobs += _jobs(train_one, pool, dict(zip(gans, for_gans, strict=True)), _seed(params, 3))
            with engine(workers=params.workers):
                for _ in track(fan_out(jobs, workers=params.workers), "shadow-models", total=len(jobs)):
                    pass
            names = [*classifiers, *gans]
            trained_on = dict(zip(names, np.concatenate([for_classifiers, for_gans]), strict=True))
            write_coins(folder, list(pool.ids), trained_on)
        write_index(folder, classifiers=classifiers, gans=gans, facts=facts)


def _jobs(
    train_one: Callable[..., None], pool: ImageSet, trained_on: dict[str, np.ndarray], seed: int
) -> list[Callable[[], None]]:
    """One job a shadow, each with a seed of its own."""
    return [
        partial(train_one, pool.take(mask), seed=seed + place, name=name)
        for place, (name, mask) in enumerate(trained_on.items())
    ]


def _seed(params: Params, *place: int) -> int:
    """A seed of its own for each place."""
    return int(np.random.SeedSequence([params.seed, *place]).generate_state(1, np.uint32)[0])


def _pool(data_dir: Path) -> ImageSet:
    """Train and test together, labelled."""
    parts = [read_images(data_dir / "split" / f"{name}.parquet").labelled() for name in ("train", "test")]
    return ImageSet(
        ids=[one for part in parts for one in part.ids],
        codes=np.concatenate([part.codes for part in parts]),
        images=np.concatenate([part.images for part in parts]),
        classes=parts[0].classes,
    )


def _check_classes(pool: ImageSet, data_dir: Path) -> None:
    counts = np.bincount(pool.codes, minlength=len(pool.classes)).tolist()
    few = [name for name, count in zip(pool.classes, counts, strict=True) if count < 2]
    if few:
        raise BadInput(f"{data_dir / 'split'}: expected 2 records of every class for shadow GANs, got fewer of {few}")


if __name__ == "__main__":
    main("shadow", Params, run)
