"""Training of one classifier on real records, synthetic records, or a mixture of both in every batch.

Knows nothing of arms, validation or test: it takes its steps and hands the network over. Every stream of chance (first
weights, real draws, synthetic draws, augmentation) has a generator of its own, all derived from one seed, so two
trainings with the same seed start from the same weights and draw the same real records, whatever else differs.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch.nn import functional
from torch.nn.utils import get_total_norm

from mintmark.classify.augmentation import PLAIN, Augmentation, bend, mix
from mintmark.classify.networks import Classifier, SmallCNN
from mintmark.errors import BadInput

STREAMS = ("weights", "real", "synthetic", "augmentation")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a classifier is trained.

    Attributes:
        steps: Gradient steps.
        batch_size: Records a step, real and synthetic together.
        learning_rate: Peak of the one-cycle schedule (Smith and Topin 2018).
        weight_decay: AdamW's, on every parameter (Loshchilov and Hutter 2019).
        width: Channels of the network's first layer.
        augmentation: How real and synthetic images are bent.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    width: int
    augmentation: Augmentation = PLAIN

    def __post_init__(self) -> None:
        for name, least in {"steps": 1, "batch_size": 2, "width": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.learning_rate <= 0 or self.weight_decay < 0:
            found = f"{self.learning_rate} and {self.weight_decay}"
            raise ValueError(f"learning_rate must be above 0 and weight_decay not below 0, got {found}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Synthetic:
    """Synthetic records that take a share of every batch.

    Attributes:
        images: Pixels in [-1, 1].
        labels: Hard codes (-1 for unlabelled, which are left out), or soft labels: probabilities of the classes.
        share: Their share of every batch, above 0 and below 1.
    """

    images: Float[torch.Tensor, "n channels height width"]
    labels: Int64[torch.Tensor, " n"] | Float[torch.Tensor, "n classes"]
    share: float

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"share must lie between 0 and 1, got {self.share}")


class Step(NamedTuple):
    """One gradient step: its number from 1, its loss, and the network as it now is, in training mode."""

    number: int
    loss: float
    network: Classifier


class _Pool(NamedTuple):
    images: torch.Tensor  # (n, channels, height, width)
    labels: torch.Tensor  # (n, classes), probabilities
    draws: Iterator[torch.Tensor]  # rows, as many as a whole batch takes


def train_classifier(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    synthetic: Synthetic | None = None,
    device: torch.device | str = "cpu",
    make: Callable[[], Classifier] | None = None,
) -> Classifier:
    """Train a classifier and return it in eval mode.

    Args:
        images: Real images, pixels in [-1, 1].
        codes: Their classes, 0 to `num_classes` - 1; records with -1 are unlabelled and left out.
        num_classes: How many classes there are, whether or not each occurs.
        recipe: How to train.
        seed: Of everything drawn here.
        synthetic: Records that take a share of every batch.
        device: Where to train.
        make: Makes the network, with first weights out of PyTorch's global random state; by default a `SmallCNN`.

    Raises:
        BadInput: no record carries a label, or a code is beyond the classes.
        FloatingPointError: a loss or a gradient is not finite; no step was taken with it.
    """
    taken = training_steps(
        images, codes, num_classes=num_classes, recipe=recipe, seed=seed, synthetic=synthetic, device=device, make=make
    )
    *_, last = taken
    return last.network.eval()


def training_steps(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    synthetic: Synthetic | None = None,
    device: torch.device | str = "cpu",
    make: Callable[[], Classifier] | None = None,
) -> Iterator[Step]:
    """The loop behind `train_classifier`: one `Step` after each gradient step, with the same arguments and errors."""
    channels, height, width = images.shape[1:]
    usual = partial(SmallCNN, (height, width, channels), num_classes, recipe.width)
    network = first_network(make or usual, streams(seed)["weights"])
    network.to(device).train()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    batches = training_batches(
        images, codes, num_classes=num_classes, recipe=recipe, seed=seed, synthetic=synthetic, device=device
    )
    for number, (batch, labels) in enumerate(batches, start=1):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * one_cycle(number / recipe.steps)
        loss = functional.cross_entropy(network(batch), labels)
        optimiser.zero_grad()
        loss.backward()
        refuse_non_finite(network, loss.item(), number)
        optimiser.step()
        yield Step(number, loss.item(), network)


def training_batches(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    synthetic: Synthetic | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[Float[torch.Tensor, "n channels height width"], Float[torch.Tensor, "n classes"]]]:
    """The batches of `train_classifier`, one a step: images, bent, and probabilities of the classes.

    With the same arguments, and the same errors but those of a loss.
    """
    generators = streams(seed)
    common = {"num_classes": num_classes, "batch_size": recipe.batch_size, "device": device}
    pools = [_pool(images, codes, generator=generators["real"], **common)]
    counts = [recipe.batch_size]
    if synthetic is not None:
        pools.append(_pool(synthetic.images, synthetic.labels, generator=generators["synthetic"], **common))
        num_synthetic = min(max(1, round(recipe.batch_size * synthetic.share)), recipe.batch_size - 1)
        counts = [recipe.batch_size - num_synthetic, num_synthetic]
    for _ in range(recipe.steps):
        yield _batch(pools, counts, recipe.augmentation, generators["augmentation"])


def streams(seed: int) -> dict[str, torch.Generator]:
    """A generator for each stream of chance, independent of one another."""
    states = np.random.SeedSequence(seed).generate_state(len(STREAMS), np.uint64) >> np.uint64(1)
    return {name: torch.Generator().manual_seed(int(state)) for name, state in zip(STREAMS, states, strict=True)}


def _pool(
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    num_classes: int,
    batch_size: int,
    generator: torch.Generator,
    device: torch.device | str,
) -> _Pool:
    """The labelled records, their labels as probabilities, and the endless order in which they are drawn."""
    if not labels.is_floating_point():
        labelled = labels >= 0
        images, labels = images[labelled], labels[labelled]
        if len(labels) and int(labels.max()) >= num_classes:
            raise BadInput(f"label codes: expected 0 to {num_classes - 1}, got {int(labels.max())}")
        labels = functional.one_hot(labels, num_classes).float()
    if not len(labels):
        raise BadInput("training records: expected at least one with a label, got none")
    return _Pool(images.to(device), labels.to(device), _draws(len(labels), batch_size, generator))


def _draws(num: int, batch_size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Batches of rows out of one shuffle after another; where records are fewer than a batch, it repeats them."""
    waiting = torch.empty(0, dtype=torch.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = torch.cat([waiting, torch.randperm(num, generator=generator)])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def first_network(make: Callable[[], Classifier], generator: torch.Generator) -> Classifier:
    """A fresh network whose first weights come from the generator; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        return make()


def _batch(
    pools: list[_Pool], counts: list[int], augmentation: Augmentation, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """One batch out of all pools; a pool draws a whole batch and gives its first rows, so that arms stay paired."""
    rows = [next(pool.draws)[:count] for pool, count in zip(pools, counts, strict=True)]
    images = torch.cat([pool.images[chosen] for pool, chosen in zip(pools, rows, strict=True)])
    labels = torch.cat([pool.labels[chosen] for pool, chosen in zip(pools, rows, strict=True)])
    images = bend(images, augmentation, generator=generator)
    if augmentation.mixup:
        return mix(images, labels, strength=augmentation.mixup, generator=generator)
    return images, labels


def refuse_non_finite(network: Classifier, loss: float, number: int) -> None:
    """Raise FloatingPointError where a step's loss or gradient is not finite."""
    norm = float(get_total_norm([one.grad for one in network.parameters() if one.grad is not None]))
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise FloatingPointError(f"step {number}: loss and gradient must be finite, got {loss} and a norm of {norm}")


def one_cycle(progress: float) -> float:
    """The learning rate's share of its peak: up over the first 30%, then down to nothing, both along a cosine."""
    if progress < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / 0.3)) / 2
    return (1 + math.cos(math.pi * (progress - 0.3) / 0.7)) / 2
