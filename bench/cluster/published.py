"""The published design of clusters up to transformations, written plainly, beside ours: CPU seconds to the same accuracy.

Monnier, Groueix and Aubry 2020, in its own sizes: a residual network of 20 layers tells every cluster's head the
transformation, all clusters' answers carry a gradient, prototypes start as images drawn at random, and a starved cluster
is a copy of the largest. Warps, curriculum, batches and images are ours, for both, so that the design alone differs;
morphology is left out of both. Every step of one thread is timed, scoring apart. Labels score and do nothing else.
"""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from bench.cluster.mnist import (
    CHOSEN,
    NUM_CLASSES,
    QUICK_RECIPE,
    RECIPE,
    SCORED_EVERY,
    SEED,
    WANTED,
    images_of,
    right,
    transformed,
)
from bench.reporting import Goal, at_least
from mintmark.cluster.curriculum import Curriculum
from mintmark.cluster.model import background_of
from mintmark.transformations.sequence import apply_all, named

BATCH, CHECKED_EVERY, RESTART_BELOW, NOISE = 128, 25, 0.2, 1e-4
LEARNING_RATE, WEIGHT_DECAY, HIDDEN, FEATURES = 1e-3, 1e-6, 128, 64
GIVEN_UP = 40.0  # times what ours took
LEAST = 20.0
QUICK_STEPS = 2

Images = Float[torch.Tensor, "n channels height width"]


class Block(nn.Module):
    """Two convolutions and a way past them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = outputs // inputs
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.past = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps of half the side where the channels double."""
        return functional.relu(self.body(maps) + self.past(maps))


def encoder(channels: int) -> nn.Module:
    """A residual network of 20 layers for small images (He et al. 2016, section 4.2), without its last layer."""
    widths = itertools.pairwise((16, 16, 16, 16, 32, 32, 32, 64, 64, 64))
    first = (nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    return nn.Sequential(*first, *(Block(*pair) for pair in widths), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def head(numbers: int) -> nn.Module:
    """Two hidden layers; starts at zero, the identity."""
    last = nn.Linear(HIDDEN, numbers)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), last)


class Published(nn.Module):
    """One start: prototypes, one encoder, and one head a cluster and transformation."""

    def __init__(self, prototypes: Images, *, transformations: tuple[str, ...]) -> None:
        super().__init__()
        self.transformations = named(transformations)
        self.prototypes, channels = nn.Parameter(prototypes.clone()), prototypes.shape[1]
        self.encoder = encoder(channels)
        numbers = [one.num_parameters(channels) for one in self.transformations]
        self.heads = nn.ModuleList(nn.ModuleList(map(head, numbers)) for _ in prototypes)

    def distances(self, images: Images, *, stage: int) -> Float[torch.Tensor, "n k"]:
        """Mean squared difference of every image from every cluster's answer, each with its gradient."""
        features = self.encoder(images) if stage else images
        found = []
        for prototype, heads in zip(self.prototypes, self.heads, strict=True):
            assert isinstance(heads, nn.ModuleList)
            offsets = [one(features)[:, None] for one in list(heads)[:stage]]
            answers = apply_all(self.transformations, prototype.expand(len(images), 1, -1, -1, -1), offsets)
            found.append((answers[:, 0] - images).square().mean(dim=(1, 2, 3)))
        return torch.stack(found, dim=1)

    def cluster_parameters(self, cluster: int) -> list[nn.Parameter]:
        """The weights of one cluster's heads."""
        return list(self.heads[cluster].parameters())


class Step(NamedTuple):
    """How many steps were taken, in how many CPU seconds, and the network."""

    number: int
    seconds: float
    network: Published


def train(images: Images, *, transformations: tuple[str, ...], longest: int, plateau: float) -> Iterator[Step]:
    """Yield after every step, without end; `longest` and `plateau` are the curriculum's."""
    rng = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    network = Published(
        images[torch.randperm(len(images), generator=rng)[:NUM_CLASSES]], transformations=transformations
    )
    others = [parameter for parameter in network.parameters() if parameter is not network.prototypes]
    groups = [{"params": [network.prototypes]}, {"params": others, "weight_decay": WEIGHT_DECAY}]
    optimiser = torch.optim.Adam(groups, lr=LEARNING_RATE)
    curriculum = Curriculum(num_stages=len(transformations), longest=longest, plateau=plateau, every=CHECKED_EVERY)
    sizes = torch.zeros(NUM_CLASSES, dtype=torch.int64)
    for number in itertools.count(1):
        began = time.process_time()
        batch = images[torch.randint(len(images), (BATCH,), generator=rng)]
        nearest, clusters = network.distances(batch, stage=curriculum.stage).min(dim=1)
        loss = nearest.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        curriculum.advance(loss.detach()[None])
        sizes += torch.bincount(clusters, minlength=NUM_CLASSES)
        if number % CHECKED_EVERY == 0:
            _restart(network, optimiser, sizes, rng=rng)
            sizes.zero_()
        yield Step(number, time.process_time() - began, network)


@torch.no_grad()
def _restart(network: Published, optimiser: torch.optim.Adam, sizes: torch.Tensor, *, rng: torch.Generator) -> None:
    """Starved clusters become copies of the largest, their moments copied by value."""
    largest = int(sizes.argmax())
    for small in torch.nonzero(sizes < RESTART_BELOW * sizes.double().mean())[:, 0].tolist():
        pairs = zip(network.cluster_parameters(small), network.cluster_parameters(largest), strict=True)
        for mine, theirs in pairs:
            mine.copy_(theirs)
            for name in ("exp_avg", "exp_avg_sq"):
                if name in optimiser.state[theirs] and name in optimiser.state[mine]:
                    optimiser.state[mine][name].copy_(optimiser.state[theirs][name])
        prototype, state = network.prototypes[largest], optimiser.state[network.prototypes]
        for name in ("exp_avg", "exp_avg_sq"):
            state[name][small] = state[name][largest]
        network.prototypes[small] = prototype + NOISE * torch.randn(prototype.shape, generator=rng)


@torch.no_grad()
def assign(network: Published, images: Images) -> torch.Tensor:
    """The cluster of every image, under all transformations."""
    network.eval()
    stage = len(network.transformations)
    found = torch.cat([network.distances(block, stage=stage).argmin(dim=1) for block in images.split(500)])
    network.train()
    return found


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """CPU seconds until both are right often enough, theirs over ours; one thread, one at a time."""
    del workers
    torch.set_num_threads(1)
    images, codes = images_of(data, quick=quick)
    recipe = QUICK_RECIPE if quick else RECIPE
    ours = transformed(images, codes, recipe=recipe, seed=SEED)
    budget = GIVEN_UP * (ours["seconds_to_wanted"] or ours["seconds"])
    centred, spent, reached, points = images - background_of(images)[:, None, None], 0.0, None, []
    endless = train(
        centred, transformations=recipe.transformations, longest=recipe.identity_steps, plateau=recipe.plateau
    )
    for step in endless:
        spent += step.seconds
        if step.number % (QUICK_STEPS if quick else SCORED_EVERY) == 0:
            points.append((step.number, round(spent, 1), right(assign(step.network, centred).numpy(), codes)))
            reached = spent if points[-1][2] >= WANTED else None
        if reached is not None or spent > budget or (quick and step.number == 2 * QUICK_STEPS):
            break
    details = {"ours": ours, "published": {"points": points, "reached": reached is not None, "seconds": spent}}
    if ours["seconds_to_wanted"] is None or (reached is None and spent <= budget):
        return [], details
    ratio = spent / ours["seconds_to_wanted"]
    which = "published design" if reached is not None else "published design, given up before it got there,"
    name = f"CPU seconds of the {which} to {WANTED:.1%} over ours ({CHOSEN})"
    return [at_least(LEAST, name, ratio, (ratio, ratio), unit="times")], details
