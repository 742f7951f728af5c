"""The audit's reference models, trained as the targets were, on fresh halves of the pool, and twins with canaries.

None unless asked for. In: `train` and `test`, which are the pool, and the recipes in the weights of `evaluate` and
`train_gan`. Out: the folder `models/`; see `mintmark.shadow.store`.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from mintmark.classify.stacked import Lesson
from mintmark.classify.training import Recipe
from mintmark.data.images import ImageSet, read_images, together
from mintmark.devices import DeviceName, pick_device
from mintmark.errors import BadInput
from mintmark.fan_out import fan_out
from mintmark.files import whole_folder
from mintmark.progress import track
from mintmark.shadow import pace
from mintmark.shadow.canaries import Canaries, make_canaries, planted_among, write_canaries
from mintmark.shadow.classifiers import STACK, Job, Pupil, Taught, jobs_in_stacks, jobs_one_by_one
from mintmark.shadow.coins import toss
from mintmark.shadow.gans import train_shadow_gan
from mintmark.shadow.recipes import classifier_recipe, gan_recipe, has_recipe, synthetic_records
from mintmark.shadow.store import TWIN, gan_paths, write_coins, write_index
from tasks.engine import engine
from tasks.params import main

CLASSIFIER = Path("evaluate") / "classifier.safetensors"
GENERATOR = Path("train_gan") / "generator.safetensors"
Way = Literal["together", "one_by_one"]
JOBS = {"together": jobs_in_stacks, "one_by_one": jobs_one_by_one}


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The section `shadow`.

    Attributes:
        seed: Of coins, first weights and batches.
        threads: Threads of PyTorch in each worker.
        workers: Processes.
        device: "auto" takes a GPU where there is one.
        classifiers: Trained "together", in stacks, "one_by_one", or, "auto", whichever a short measurement finds faster.
        num_classifiers: Shadow classifiers; even, so that each record has models that were not trained on it.
        num_generators: Shadow GANs; likewise, though one alone can be trained.
        num_canaries: Records planted by coins in twins of the target's models; a multiple of three, 0 for no twins.
    """

    seed: int
    threads: int
    workers: int
    device: DeviceName
    classifiers: Literal["auto", "together", "one_by_one"]
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
        known = canaries is not None and has_recipe(data_dir / CLASSIFIER)
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
    how = {"folder": folder, "threads": params.threads, "device": pick_device(params.device)}
    first: list[Job] = []
    second: list[Job] = []
    if shadows.gans:
        gan = gan_recipe(data_dir / GENERATOR)
        facts["gan"] = asdict(gan)
        train_one = partial(train_shadow_gan, recipe=gan, **how)
        first += [
            partial(train_one, shadows.lessons[name], seed=_seed(params, 3) + place, name=name)
            for place, name in enumerate(shadows.gans)
        ]
    if shadows.classifiers:
        recipe = classifier_recipe(data_dir / CLASSIFIER)
        way = _way(shadows, params, recipe, how["device"])
        facts["classifier"] = asdict(recipe) | {"synthetic_records": shadows.synthetic_records, "trained": way}
        pupils = [
            _pupil(shadows, name, _seed(params, 2) + place, folder) for place, name in enumerate(shadows.classifiers)
        ]
        first += JOBS[way]([one for one in pupils if isinstance(one.source, ImageSet)], recipe=recipe, **how)
        second += JOBS[way]([one for one in pupils if isinstance(one.source, Taught)], recipe=recipe, **how)
    with engine(workers=params.workers):
        for jobs in (first, second):
            for _ in track(fan_out(jobs, workers=params.workers), "shadow-models", total=len(jobs)):
                pass
    return facts


def _pupil(shadows: _Shadows, name: str, seed: int, folder: Path) -> Pupil:
    teacher = shadows.teacher(name)
    if teacher is None or shadows.synthetic_records is None:
        return Pupil(name=name, seed=seed, source=shadows.lessons[name])
    taught = Taught(generator_path=gan_paths(folder, teacher)[0], num_records=shadows.synthetic_records)
    return Pupil(name=name, seed=seed, source=taught)


def _way(shadows: _Shadows, params: Params, recipe: Recipe, device: torch.device) -> Way:
    """How classifiers are trained: as asked, or as a measurement on the first stack finds faster."""
    if params.classifiers != "auto":
        return params.classifiers
    torch.set_num_threads(params.threads)
    some = [shadows.lessons[name] for name in shadows.classifiers[:STACK]]
    lessons = [Lesson(*records.tensors(), seed) for seed, records in enumerate(some)]
    speed = pace.measure(lessons, num_classes=len(some[0].classes), recipe=recipe, device=device)
    return "together" if speed.pays else "one_by_one"


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
