"""Which features K-means and the mixture cluster best, beside clusters up to transformations, on MNIST and Fashion-MNIST.

Every network learns from the images alone: an autoencoder, one that tells how images were turned and shifted, the
discriminator of a generator of one class, and the alignment that clusters up to transformations learn; "neighbours" are
places in the plane by t-SNE. Labels score and do nothing else: each clustering is its start of lowest loss. Principal
components carry the features, so that the two methods cost the same on each; nothing was tuned on the images that are
reported. These are the same for every seed, so intervals, Student's over seeds, tell what starts and trainings draw and
not which images are drawn. The generator is small and learns for few steps: its discriminator says little of a longer
training's.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64

from bench.cluster.mnist import KMEANS, MIXTURE, NUM_CLASSES, QUICK_RECIPE, RECIPE, right
from bench.idx import read
from bench.reporting import Goal, at_least
from bench.utility.generators import default_recipe
from mintmark.anomaly import autoencoder, pretext
from mintmark.anomaly.descent import Training, in_blocks
from mintmark.anomaly.embedding import embed
from mintmark.cluster import gaussian_mixture, kmeans, training
from mintmark.cluster.clustering import Clustering
from mintmark.data.images import to_unit
from mintmark.gan.training import train
from mintmark.intervals import mean

SETS = ("mnist", "fashion-mnist")
SEEDS = (1, 2, 3)
ITSELF = "clusters up to transformations"
NAMED = {"mnist": ITSELF, "fashion-mnist": "autoencoder, neighbours, mixture"}  # beforehand: what publications favour
WANTED = {"mnist": 0.955, "fashion-mnist": 0.62}
COMPONENTS = 32
PERPLEXITY = 30.0

Images = Float[torch.Tensor, "n channels height width"]
Points = Float[torch.Tensor, "n features"]
Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """How much is learnt from.

    Attributes:
        records: Of the test images, the first so many.
        autoencoder, turns, gan: Steps of each network.
        transformed: How the alignment is fitted.
    """

    records: int
    autoencoder: int
    turns: int
    gan: int
    transformed: training.Recipe


WHOLE = Lengths(
    records=5000,
    autoencoder=1500,
    turns=600,
    gan=400,
    transformed=replace(RECIPE, starts=2, steps=1000, challenge_every=100),
)
QUICK = Lengths(records=200, autoencoder=3, turns=3, gan=2, transformed=QUICK_RECIPE)


def measure(data: Path, *, quick: bool, workers: int) -> tuple[list[Goal], dict[str, Any]]:
    """Both data sets, each with every seed; `workers` is not used."""
    del workers
    torch.set_num_threads(1)
    lengths, seeds = (QUICK, SEEDS[:2]) if quick else (WHOLE, SEEDS)
    found, goals = {}, []
    for name in SETS[:1] if quick else SETS:
        part = read(data / name, "t10k")
        images, codes = to_unit(part.images[: lengths.records]), part.codes[: lengths.records]
        found[name] = summary({seed: compare(images, codes, lengths=lengths, seed=seed) for seed in seeds})
        value, low, high = found[name][NAMED[name]]["accuracy"]
        what = f"accuracy on {name}, {NAMED[name]}, mean of {len(seeds)} seeds"
        goals.append(at_least(WANTED[name], what, value, (low, high), unit="rate"))
    return goals, {"lengths": asdict(lengths), "found": found}


def summary(by_seed: Mapping[int, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Each way's mean over seeds with Student's interval, and what each seed had.

    Args:
        by_seed: Accuracy by features and method, of two seeds at least.
    """
    ways = next(iter(by_seed.values()))
    return {
        way: {
            "accuracy": list(mean(np.array([found[way] for found in by_seed.values()]))),
            "by_seed": {seed: found[way] for seed, found in by_seed.items()},
        }
        for way in ways
    }


def compare(images: Images, codes: Codes, *, lengths: Lengths, seed: int) -> dict[str, float]:
    """Accuracy by features and method."""
    transformed = training.fit(images, num_clusters=NUM_CLASSES, recipe=lengths.transformed, seed=seed).best
    clusters = transformed.assign(images).clusters
    found = {ITSELF: right(clusters.numpy(), codes)}
    for name, points in _spaces(images, transformed, lengths=lengths, seed=seed).items():
        carried = points[:, :, None, None]
        for method, fit in METHODS.items():
            best = fit(carried, num_clusters=NUM_CLASSES, seed=seed).best
            found[f"{name}, {method}"] = right(best.assign(carried).clusters.numpy(), codes)
    return found


METHODS: Mapping[str, Callable[..., Any]] = {
    "K-means": partial(kmeans.fit, recipe=KMEANS),
    "mixture": partial(gaussian_mixture.fit, recipe=replace(MIXTURE, smallest_deviation=0.05)),
}


def _spaces(images: Images, transformed: Clustering, *, lengths: Lengths, seed: int) -> dict[str, Points]:
    """Features by name, each of unit mean square about its mean."""
    moved = transformed.align(images, transformed.assign(images).clusters)
    codes, codes_of_moved = (_autoencoded(some, steps=lengths.autoencoder, seed=seed) for some in (images, moved))
    spaces = {
        "pixels": images.flatten(1),
        "aligned pixels": moved.flatten(1),
        "autoencoder": codes,
        "autoencoder of aligned": codes_of_moved,
        "turns and shifts": _turned(images, steps=lengths.turns, seed=seed),
        "discriminator": _judged(images, steps=lengths.gan, seed=seed),
    }
    spaces = {name: _components(points) for name, points in spaces.items()}
    for name in ("pixels", "autoencoder", "autoencoder of aligned"):
        places = torch.from_numpy(embed(spaces[name], perplexity=PERPLEXITY, seed=seed)).float()
        spaces[f"{name}, neighbours"] = _components(places)
    return spaces


def _components(points: Points) -> Points:
    """The leading principal components, over one scale for all."""
    centred = points - points.mean(dim=0)
    *_, directions = torch.linalg.svd(centred.T @ centred)
    kept = centred @ directions[:COMPONENTS].T
    return kept / kept.square().mean().sqrt()


def _autoencoded(images: Images, *, steps: int, seed: int) -> Points:
    learnt = autoencoder.fit(images, num_features=COMPONENTS, width=256, training=_training(steps), seed=seed)
    return learnt.encode(images)


def _turned(images: Images, *, steps: int, seed: int) -> Points:
    _, channels, height, width = images.shape
    network = pretext.fit_patches(
        images, shape=(height, width, channels), width=16, training=_training(steps), seed=seed
    )
    return in_blocks(lambda block: network.maps(block).flatten(1), images)


def _judged(images: Images, *, steps: int, seed: int) -> Points:
    """Of the pipeline's own recipe, half as wide, with all images in one class."""
    _, channels, height, width = images.shape
    recipe = default_recipe(batch_size=32, generator_width=16, discriminator_width=8)
    config = recipe.settled((height, width, channels), num_records=len(images))
    nothing = torch.zeros(len(images), dtype=torch.int64)
    *_, last = islice(train(images, nothing, config=config, seed=seed, num_classes=1), steps)
    return in_blocks(last.state.discriminator.features, images)


def _training(steps: int) -> Training:
    return Training(steps=steps, batch_size=128, learning_rate=2e-3, weight_decay=1e-4)
