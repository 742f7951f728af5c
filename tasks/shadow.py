"""The audit's reference models, trained as the targets were, on fresh halves of the pool, and twins with canaries.

None unless asked for. In: `train` and `test`, which are the pool, and the recipes in the weights of `evaluate` and
`train_gan`. Out: the folder `models/`; see `mintmark.shadow.store`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mintmark.data.images import ImageSet, read_images, together
from mintmark.errors import BadInput
from mintmark.fan_out import fan_out
from mintmark.files import whole_folder
from mintmark.progress import track
from mintmark.shadow.canaries import Canaries, make_canaries, planted_among, write_canaries
from mintmark.shadow.coins import toss
from mintmark.shadow.recipes import classifier_recipe, gan_recipe, has_recipe, synthetic_records
from mintmark.shadow.store import TWIN, gan_paths, write_coins, write_index
from mintmark.shadow.training import train_shadow_classifier, train_shadow_gan, train_taught_classifier
from tasks.engine import engine
from tasks.params import main

CLASSIFIER = Path("evaluate") / "classifier.safetensors"
GENERATOR = Path("train_gan") / "generator.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `shadow`.

    Attributes:
        seed: Of coins, first weights and batches.
        threads: Threads of PyTorch in each worker.
        workers: Processes.
        num_classifiers: Shadow classifiers; even, so that each record has models that were not trained on it.
        num_generators: Shadow GANs; likewise, though one alone can be trained.
        num_canaries: Records planted by coins in twins of the target's models; a multiple of three, 0 for no twins.
    """

    seed: int
    threads: int
    workers: int
    num_classifiers: int
    num_generators: int
    num_canaries: int

    def __post_init__(self) -> None:
        for name in ("threads", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("num_classifiers", "num_generators", "num_canaries"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


def run(params: Params, data_dir: Path) -> None:
    """Train the shadow models that are asked for."""
    with whole_folder((data_dir / "shadow" / "models").resolve()) as folder:  # a worker has a folder of its own
        if not params.num_classifiers and not params.num_generators and not params.num_canaries:
            write_index(folder, classifiers=[], gans=[], twins=[], facts={})
            return
        pool, canaries = _pool(data_dir), _canaries(params, data_dir)
        rows = synthetic_records(data_dir / CLASSIFIER) if params.num_classifiers or canaries is not None else None
        coins = _coins(params, pool, taught=rows is not None)
        lessons = {name: pool.take(mask) for name, mask in coins.items()}
        if canaries is not None:
            lessons[TWIN] = planted_among(read_images(data_dir / "split" / "train.parquet").labelled(), canaries)
            write_canaries(folder, canaries)
        known = has_recipe(data_dir / CLASSIFIER)
        if params.num_generators or canaries is not None:
            _check_classes(pool, data_dir)
        shadows = _Shadows(
            gans=[name for name in lessons if name.startswith("gan") or name == TWIN],
            classifiers=[name for name in lessons if name.startswith("classifier") or (name == TWIN and known)],
            lessons=lessons,
            synthetic_records=rows,
        )
        facts = _train(shadows, params, data_dir, folder)
        write_coins(folder, list(pool.ids), coins)
        write_index(
            folder,
            classifiers=[name for name in shadows.classifiers if name != TWIN],
            gans=[name for name in shadows.gans if name != TWIN],
            twins=[] if canaries is None else ["classifier", "gan"] if known else ["gan"],
            facts=facts,
        )


class _Shadows(NamedTuple):
    """What is to be trained, on what.

    Attributes:
        gans: Names.
        classifiers: Names. Where synthetic records alone taught the target, "classifier-N" is taught by "gan-N".
        lessons: Real records by name.
        synthetic_records: How many taught the target, if they alone did; else None.
    """

    gans: list[str]
    classifiers: list[str]
    lessons: dict[str, ImageSet]
    synthetic_records: int | None

    def teacher(self, classifier: str) -> str | None:
        """The GAN that teaches a classifier; None where real records do."""
        gan = classifier.replace("classifier", "gan")
        return gan if self.synthetic_records is not None and gan in self.gans else None


def _coins(params: Params, pool: ImageSet, *, taught: bool) -> dict[str, np.ndarray]:
    """Who learns from whom. The two kinds have coins of their own, except where a GAN teaches a classifier."""
    gans = [f"gan-{place}" for place in range(params.num_generators)]
    classifiers = [f"classifier-{place}" for place in range(params.num_classifiers)]
    for_gans = toss(pool.codes, num=len(gans), seed=_seed(params, 1))
    if taught and gans:
        if len(classifiers) > len(gans):
            raise BadInput(
                f"shadow.num_classifiers: expected at most num_generators ({len(gans)}), because the target was taught by "
                f"synthetic records, and so its shadows are by those of shadow GANs; got {len(classifiers)}"
            )
        for_classifiers = for_gans[: len(classifiers)]
    else:
        for_classifiers = toss(pool.codes, num=len(classifiers), seed=_seed(params, 0))
    return dict(zip([*classifiers, *gans], [*for_classifiers, *for_gans], strict=True))


def _train(shadows: _Shadows, params: Params, data_dir: Path, folder: Path) -> dict[str, Any]:
    """Train all, GANs before the classifiers that they teach; tells how."""
    facts: dict[str, Any] = {}
    how = {"folder": folder, "threads": params.threads}
    jobs: list[list[Callable[[], None]]] = [[], []]
    if shadows.gans:
        gan = gan_recipe(data_dir / GENERATOR)
        facts["gan"] = asdict(gan)
        train_one = partial(train_shadow_gan, recipe=gan, **how)
        jobs[0] += [
            partial(train_one, shadows.lessons[name], seed=_seed(params, 3) + place, name=name)
            for place, name in enumerate(shadows.gans)
        ]
    if shadows.classifiers:
        recipe = classifier_recipe(data_dir / CLASSIFIER)
        facts["classifier"] = asdict(recipe) | {"synthetic_records": shadows.synthetic_records}
        for place, name in enumerate(shadows.classifiers):
            also, teacher = {"seed": _seed(params, 2) + place, "name": name, **how}, shadows.teacher(name)
            if teacher is None or shadows.synthetic_records is None:
                jobs[0].append(partial(train_shadow_classifier, shadows.lessons[name], recipe=recipe, **also))
            else:
                path, rows = gan_paths(folder, teacher)[0], shadows.synthetic_records
                jobs[1].append(partial(train_taught_classifier, path, num_records=rows, recipe=recipe, **also))
    with engine(workers=params.workers):
        for some in jobs:
            for _ in track(fan_out(some, workers=params.workers), "shadow-models", total=len(some)):
                pass
    return facts


def _seed(params: Params, *place: int) -> int:
    """A seed of its own for each place."""
    return int(np.random.SeedSequence([params.seed, *place]).generate_state(1, np.uint32)[0])


def _pool(data_dir: Path) -> ImageSet:
    """Train and test together, labelled."""
    return together(*(read_images(data_dir / "split" / f"{name}.parquet").labelled() for name in ("train", "test")))


def _canaries(params: Params, data_dir: Path) -> Canaries | None:
    """Canaries out of test records, which taught no target."""
    if not params.num_canaries:
        return None
    path = data_dir / "split" / "test.parquet"
    try:
        spare = read_images(path).labelled()
        return make_canaries(spare, num=params.num_canaries, rng=np.random.default_rng([params.seed, 4]))
    except ValueError as error:
        raise BadInput(f"shadow.num_canaries {error} ({path})") from error


def _check_classes(pool: ImageSet, data_dir: Path) -> None:
    counts = np.bincount(pool.codes, minlength=len(pool.classes)).tolist()
    few = [name for name, count in zip(pool.classes, counts, strict=True) if count < 2]
    if few:
        raise BadInput(f"{data_dir / 'split'}: expected 2 records of every class for shadow GANs, got fewer of {few}")


if __name__ == "__main__":
    main("shadow", Params, run)
