"""Every detector with one setting for all data sets and classes. Settings were never chosen on test images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice

import torch
from jaxtyping import Float

from bench.utility.generators import default_recipe
from mintmark.anomaly import (
    anogan,
    autoencoder,
    deep_svdd,
    fanogan,
    hybrid,
    isolation_forest,
    memory,
    moves,
    nearest,
    one_class_svm,
    pca,
    vae,
)
from mintmark.anomaly.descent import Training
from mintmark.anomaly.detector import Detector
from mintmark.gan.family import AnyDiscriminator, AnyGenerator
from mintmark.gan.training import train

COMPONENTS = 32
FEATURES, WIDTH = 32, 256
NU = 0.1
Normals = Float[torch.Tensor, "n channels height width"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """Steps of every training.

    Attributes:
        network: Of autoencoders.
        towards_centre: Of Deep SVDD, after its autoencoder.
        patches: Of the network of patches.
        gan: Of the generator and discriminator.
        encoder: Of the encoder that inverts the generator.
        search: Of AnoGAN's descent, for each image.
    """

    network: int
    towards_centre: int
    patches: int
    gan: int
    encoder: int
    search: int


FULL = Lengths(network=1000, towards_centre=300, patches=400, gan=800, encoder=1000, search=75)
QUICK = Lengths(network=2, towards_centre=2, patches=2, gan=2, encoder=2, search=2)
Fit = Callable[[Normals, Lengths, int], Detector]


def fit(kind: str, normals: Normals, *, lengths: Lengths, seed: int) -> Detector:
    """A detector of that kind."""
    return FITS[kind](normals, lengths, seed)


def _training(steps: int, *, learning_rate: float = 2e-3, weight_decay: float = 0.0) -> Training:
    return Training(steps=steps, batch_size=64, learning_rate=learning_rate, weight_decay=weight_decay)


def _components(normals: Normals, most: int = COMPONENTS) -> int:
    return min(most, len(normals) - 1)


def _pca(normals: Normals, _lengths: Lengths, _seed: int) -> Detector:
    return pca.fit(normals, num_components=_components(normals))


def _nearest(normals: Normals, _lengths: Lengths, _seed: int) -> Detector:
    return nearest.fit(normals, num_neighbours=5)


def _network(module: Callable[..., Detector], normals: Normals, lengths: Lengths, seed: int) -> Detector:
    return module(normals, num_features=FEATURES, width=WIDTH, training=_training(lengths.network), seed=seed)


def _one_class_svm(normals: Normals, _lengths: Lengths, _seed: int) -> Detector:
    return one_class_svm.fit(normals, num_components=_components(normals, 2 * COMPONENTS), nu=NU)


def _isolation_forest(normals: Normals, _lengths: Lengths, seed: int) -> Detector:
    return isolation_forest.fit(normals, num_components=_components(normals), num_trees=100, sample_size=256, seed=seed)


def _deep_svdd(normals: Normals, lengths: Lengths, seed: int) -> Detector:
    return deep_svdd.fit(
        normals,
        num_features=FEATURES,
        width=WIDTH,
        pretraining=_training(lengths.network),
        training=_training(lengths.towards_centre, learning_rate=1e-3, weight_decay=1e-2),
        seed=seed,
    )


def _hybrid(normals: Normals, lengths: Lengths, seed: int) -> Detector:
    return hybrid.fit(
        normals, num_features=FEATURES, width=WIDTH, training=_training(lengths.network), nu=NU, seed=seed
    )


def _memory(normals: Normals, lengths: Lengths, seed: int) -> Detector:
    return memory.fit(
        normals,
        width=16,
        memory_size=2000,
        place_weight=3.0,
        training=_training(lengths.patches, learning_rate=3e-3),
        seed=seed,
    )


def _moves(normals: Normals, lengths: Lengths, seed: int) -> Detector:
    return moves.fit(normals, width=16, training=_training(lengths.patches, learning_rate=3e-3), seed=seed)


@lru_cache(maxsize=1)
def _networks(normals: Normals, lengths: Lengths, seed: int) -> tuple[AnyGenerator, AnyDiscriminator]:
    """The pipeline's own recipe, of one class and half as wide; trained once for the two detectors that need them."""
    _, channels, height, width = normals.shape
    recipe = default_recipe(batch_size=32, generator_width=16, discriminator_width=8)
    config = recipe.settled((height, width, channels), num_records=len(normals))
    codes = torch.zeros(len(normals), dtype=torch.int64)
    steps = train(normals, codes, config=config, seed=seed, num_classes=1)
    *_, last = islice(steps, lengths.gan)
    return last.state.average, last.state.discriminator


def _anogan(normals: Normals, lengths: Lengths, seed: int) -> Detector:
    """The pipeline's own search, but for a bank that holds as many images of the one class as there of all."""
    generator, discriminator = _networks(normals, lengths, seed)
    search = anogan.Search(
        num_steps=lengths.search,
        learning_rate=0.1,
        num_starts=2,
        bank_per_class=2000,
        feature_weight=0.1,
        batch_size=256,
    )
    return anogan.fit(normals, generator=generator, discriminator=discriminator, search=search, seed=seed)


def _fanogan(normals: Normals, lengths: Lengths, seed: int) -> Detector:
    generator, discriminator = _networks(normals, lengths, seed)
    return fanogan.fit(
        normals,
        generator=generator,
        discriminator=discriminator,
        width=WIDTH,
        feature_weight=1.0,
        training=_training(lengths.encoder, learning_rate=1e-3),
        seed=seed,
    )


FITS: Mapping[str, Fit] = {
    "pca_residual": _pca,
    "nearest": _nearest,
    "autoencoder": partial(_network, autoencoder.fit),
    "vae": partial(_network, vae.fit),
    "one_class_svm": _one_class_svm,
    "isolation_forest": _isolation_forest,
    "deep_svdd": _deep_svdd,
    "hybrid": _hybrid,
    "memory": _memory,
    "moves": _moves,
    "fanogan": _fanogan,
    "anogan": _anogan,
}
