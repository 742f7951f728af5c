"""Train a conditional GAN on the training records: train and validation in, weights and evidence out.

Reads `split/train.parquet` and `split/validation.parquet`; the latter is only measured, never learnt from. Writes the
averaged generator, the discriminator, the history, a grid of samples and the report. Unlabelled records are left out, or
take part with a class that models believe them to be of. After a kill it goes on from the
last checkpoint in `train_gan/.partial/`, named after everything that the weights depend on, and ends at the same bytes.
Several processes may train together (`tasks/processes.py`): all read, and the first one alone writes and speaks.
"""

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

import mintmark.classify
import mintmark.differential
import mintmark.gan
import mintmark.semi_supervised
from mintmark.data.images import ImageSet, read_images
from mintmark.devices import DeviceName, allow_fast, fix_order, pick_device
from mintmark.differential.accountant import Budget, Spending, spending
from mintmark.errors import BadInput
from mintmark.evidence import Report, write_report
from mintmark.files import PARTIAL, whole_file
from mintmark.gan import checkpoint, diagnosis, private_training
from mintmark.gan.config import Config, Recipe
from mintmark.gan.elsewhere import Elsewhere, save_elsewhere
from mintmark.gan.findings import evenly_spaced, signs_of
from mintmark.gan.history import COLUMNS, as_csv, summarise
from mintmark.gan.model import save_discriminator, save_generator
from mintmark.gan.parallel import Group
from mintmark.gan.pictures import class_samples, sentence_picture
from mintmark.gan.report import training_report
from mintmark.gan.state import State, initial_state
from mintmark.gan.training import Step, train
from mintmark.progress import track
from mintmark.semi_supervised.pseudo_labels import PseudoLabels, pseudo_labelled
from tasks import processes
from tasks.params import main

MOST_LOGITS = 1000  # of each set, at each row of the history
TRAINED_HERE = "mintmark/gan/training.py"  # the source of which a GAN is the maker
SMALLEST_SIDE, LARGEST_SIDE, MOST_CHANNELS = 8, 256, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The `train_gan` section of params.yaml.

    Attributes:
        source: The module that trains a GAN; or a Parquet file or folder of records made elsewhere, and none is trained.
        seed: Where weights, batches and noise come from.
        threads: CPU threads; with another number the weights may differ in their last bits.
        device: "auto" takes a GPU where there is one.
        deterministic: Whether a GPU must give the same bytes twice, at some cost; a CPU always does.
        steps: Updates of each of the two networks.
        checkpoint_every: Steps between checkpoints; a multiple of `history_every`.
        history_every: Steps that one row of the history sums up.
        recipe: How to train.
        pseudo_labels: How unlabelled records come by a class; None leaves them out.
        privacy: The budget of differentially private training; None for the usual training.
    """

    source: str
    seed: int
    threads: int
    device: DeviceName
    deterministic: bool
    steps: int
    checkpoint_every: int
    history_every: int
    recipe: Recipe
    pseudo_labels: PseudoLabels | None
    privacy: Budget | None

    def __post_init__(self) -> None:
        for key in ("threads", "steps", "checkpoint_every", "history_every"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, got {getattr(self, key)}")
        if self.checkpoint_every % self.history_every:
            raise ValueError(
                f"checkpoint_every must be a multiple of history_every, got {self.checkpoint_every} "
                f"and {self.history_every}"
            )
        if self.privacy is not None:
            private_training.check_recipe(self.recipe)
            if self.pseudo_labels is not None:
                raise ValueError("pseudo_labels must be null under privacy: who labels has seen records without noise")


def run(params: Params, data_dir: Path) -> None:
    """Train, or go on training, and write what came of it; or note that the records are made elsewhere."""
    split_dir, out_dir = data_dir / "split", data_dir / "train_gan"
    if params.source != TRAINED_HERE:
        _stand_aside(params.source, split_dir / "train.parquet", out_dir)
        return
    device = pick_device(params.device)
    torch.set_num_threads(params.threads)
    if params.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        fix_order(device)
    else:
        allow_fast(device)
    everything = read_images(split_dir / "train.parquet")
    labelled = _trainable(everything, split_dir / "train.parquet")
    validation = read_images(split_dir / "validation.parquet").labelled()
    with processes.joined(device) as group:
        how = params.pseudo_labels
        train_set = labelled if how is None else _with_guesses(everything, how, seed=params.seed, shown=group.leads)
        recipe = params.recipe.settled(train_set.shape, num_records=len(train_set))
        spent = _spending(params, recipe, num_records=len(train_set))
        folder = out_dir / PARTIAL / _key(params, device, group, split_dir)
        state, rows = _fit(params, recipe, spent, group, train_set=train_set, validation=validation, folder=folder)
    if not group.leads:
        return
    guessed, left_out = len(train_set) - len(labelled), len(everything) - len(train_set)
    # who labels has seen every unlabelled record, sure of it or not
    num_unlabelled = guessed and guessed + left_out
    _write_weights(out_dir, params, recipe, spent, state, classes=train_set.classes, num_unlabelled=num_unlabelled)
    with whole_file(out_dir / "history.csv") as partial_path:
        partial_path.write_text(as_csv(rows), encoding="utf-8")
    with whole_file(out_dir / "samples.png") as partial_path:
        figure = class_samples(state.average.cpu(), train_set.classes, seed=params.seed)
        figure.savefig(partial_path, format="png", metadata={"Software": None})
    signs = signs_of(state, rows, train_set, validation, seed=params.seed)
    report = training_report(recipe, state, train_set, signs, spent, guessed=guessed, left_out=left_out)
    write_report(report, out_dir)
    for sentence in report.facts["findings"] or ["No sign of collapse or divergence."]:
        print(f"train_gan: {sentence}", flush=True)
    shutil.rmtree(out_dir / PARTIAL, ignore_errors=True)


def _stand_aside(source: str, train_path: Path, out_dir: Path) -> None:
    """Write files that say where the records come from, in place of weights, history and samples."""
    if not Path(source).exists():
        raise BadInput(
            f"train_gan.source: expected {TRAINED_HERE}, or a Parquet file or folder, got {source!r}: no such"
        )
    train_set = read_images(train_path)
    made = Elsewhere(source=source, classes=train_set.classes, shape=train_set.shape)
    for name in ("generator", "discriminator"):
        save_elsewhere(out_dir / f"{name}.safetensors", made)
    sentence = "No GAN was trained: the records are made elsewhere."
    with whole_file(out_dir / "history.csv") as partial_path:
        partial_path.write_text(as_csv(torch.zeros((0, len(COLUMNS)), dtype=torch.float64)), encoding="utf-8")
    with whole_file(out_dir / "samples.png") as partial_path:
        sentence_picture(sentence).savefig(partial_path, format="png", metadata={"Software": None})
    write_report(Report(stage="train_gan", measurements=(), facts={"findings": [], "source": source}), out_dir)
    print(f"train_gan: {sentence}", flush=True)


def _trainable(images: ImageSet, path: Path) -> ImageSet:
    """The labelled records, if a GAN can be trained on them."""
    height, width, channels = images.shape
    if not (min(height, width) >= SMALLEST_SIDE and max(height, width) <= LARGEST_SIDE and channels <= MOST_CHANNELS):
        raise BadInput(
            f"{path}: expected images of {SMALLEST_SIDE} to {LARGEST_SIDE} pixels a side and 1 to {MOST_CHANNELS} "
            f"channels, got {height}x{width}x{channels}"
        )
    labelled = images.labelled()
    counts = np.bincount(labelled.codes, minlength=len(images.classes))
    absent = [name for name, count in zip(images.classes, counts.tolist(), strict=True) if count == 0]
    if absent or not images.classes:
        raise BadInput(f"{path}: expected labelled records of every class, got none of {absent or 'any class'}")
    return labelled


def _with_guesses(everything: ImageSet, how: PseudoLabels, *, seed: int, shown: bool) -> ImageSet:
    """The labelled records, and the unlabelled ones with the class that they are believed to be of."""
    watch = partial(track, label="labeller-steps", total=how.gan.steps) if shown else iter
    return pseudo_labelled(everything, how, seed=seed, watch=watch)


def _key(params: Params, device: torch.device, group: Group, split_dir: Path) -> str:
    """A name for everything that the weights and the history depend on: params, devices, data, code."""
    facts = [asdict(params), device.type, group.size, torch.__version__]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    rooms = (mintmark.gan, mintmark.semi_supervised, mintmark.classify, mintmark.differential)
    sources = sorted(path for room in rooms for path in Path(room.__path__[0]).glob("*.py"))
    for path in [split_dir / "train.parquet", split_dir / "validation.parquet", *sources]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _spending(params: Params, recipe: Config, *, num_records: int) -> Spending | None:
    """What private training spends; None where there is no budget to keep."""
    if params.privacy is None:
        return None
    try:
        return spending(params.privacy, num_records=num_records, batch_size=recipe.batch_size, steps=params.steps)
    except ValueError as error:
        raise BadInput(f"train_gan.{error}") from error


def _endless(
    params: Params, train_set: ImageSet, recipe: Config, spent: Spending | None, *, state: State, group: Group
) -> Iterator[Step]:
    """The steps of the training, private or not, from the state on."""
    images, codes = train_set.byte_tensors()
    images, num_classes = images.to(pick_device(params.device)), len(train_set.classes)
    if spent is None:
        return train(images, codes, config=recipe, seed=params.seed, num_classes=num_classes, state=state, group=group)
    if group.size > 1:
        raise BadInput(f"train_gan.privacy: expected one process, got {group.size}; a Poisson batch is not shared out")
    return private_training.train(
        images, codes, config=recipe, spending=spent, seed=params.seed, num_classes=num_classes, state=state
    )


def _fit(
    params: Params,
    recipe: Config,
    spent: Spending | None,
    group: Group,
    *,
    train_set: ImageSet,
    validation: ImageSet,
    folder: Path,
) -> tuple[State, torch.Tensor]:
    """The state after all steps, from the checkpoint in `folder` if there is one, and the history."""
    device, num_classes = pick_device(params.device), len(train_set.classes)
    state = initial_state(train_set.shape, num_classes=num_classes, config=recipe, seed=params.seed, device=device)
    rows = torch.zeros((0, len(COLUMNS)), dtype=torch.float64)
    path = folder / "checkpoint.safetensors"
    if path.exists():
        rows = checkpoint.restore(path, state)
        if group.leads:
            print(f"train_gan: going on from the checkpoint at step {state.step}", flush=True)
    processes.check_agreement(group, int(folder.name[:15], 16), state.step)
    remaining = params.steps - state.step
    steps = itertools.islice(_endless(params, train_set, recipe, spent, state=state, group=group), remaining)
    if group.leads:
        steps = track(steps, "gan-steps", total=remaining)
    try:
        for taken in _batched(steps, params.history_every):
            rows = torch.cat([rows, _row(taken, state, train_set, validation)[None]])
            if group.leads and state.step % params.checkpoint_every == 0:
                checkpoint.save(path, state, rows)
    except FloatingPointError as error:
        raise BadInput(
            f"training diverged at {error}; lower the learning rates or raise the penalties' weights"
        ) from error
    return state, rows


def _batched(steps: Iterator[Step], num: int) -> Iterator[list[Step]]:
    while taken := list(itertools.islice(steps, num)):
        yield taken


def _row(taken: list[Step], state: State, train_set: ImageSet, validation: ImageSet) -> torch.Tensor:
    return summarise(
        taken,
        train_logit=float(_logits(state, train_set).mean()),
        validation_logit=float(_logits(state, validation).mean()) if len(validation) else float("nan"),
    )


def _logits(state: State, images: ImageSet) -> np.ndarray:
    """The discriminator's output on evenly spaced records, at most `MOST_LOGITS`."""
    return diagnosis.logits(state.discriminator, *evenly_spaced(images, MOST_LOGITS).tensors())


def _write_weights(
    out_dir: Path,
    params: Params,
    recipe: Config,
    spent: Spending | None,
    state: State,
    *,
    classes: tuple[str, ...],
    num_unlabelled: int,
) -> None:
    # the audit's shadow GANs are trained by this recipe, and it attacks unlabelled records where some were learnt from
    facts = {"steps": state.step, "seed": params.seed, "recipe": asdict(recipe), "unlabelled_records": num_unlabelled}
    if spent is not None:
        facts["privacy"] = spent.as_json()
    save_generator(out_dir / "generator.safetensors", state.average, classes=classes, facts=facts)
    save_discriminator(out_dir / "discriminator.safetensors", state.discriminator, classes=classes, facts=facts)


if __name__ == "__main__":
    main("train_gan", Params, processes.spread("tasks.train_gan", run))
