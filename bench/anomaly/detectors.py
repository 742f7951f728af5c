"""One recipe for every detector, for all data sets and classes. None was chosen on test images.

The generator is the pipeline's own, half as wide, with two changes for a single class of normals. Nothing is augmented:
one digit that is shifted about looks varied enough to the discriminator, and the generator then draws that one alone.
The distance that sees this weighs ten times as much.
"""

from itertools import islice

import torch
from jaxtyping import Float

from bench.utility.generators import default_recipe
from mintmark.anomaly.anogan import Search
from mintmark.anomaly.descent import Training
from mintmark.anomaly.family import (
    EncoderRecipe,
    ForestRecipe,
    HybridRecipe,
    MemoryRecipe,
    MovesRecipe,
    NearestRecipe,
    NetworkRecipe,
    Networks,
    PcaRecipe,
    Recipes,
    SupportRecipe,
    SvddRecipe,
)
from mintmark.gan.training import train

NU = 0.1
GENERATOR_STEPS = 1600


def _training(steps: int, *, learning_rate: float = 2e-3, weight_decay: float = 0.0) -> Training:
    return Training(steps=steps, batch_size=64, learning_rate=learning_rate, weight_decay=weight_decay)


def recipes(*, quick: bool) -> Recipes:
    """What each detector is fitted with; quick ones take two steps of every training."""

    def steps(full: int) -> int:
        return 2 if quick else full

    network = _training(steps(1000))
    patches = _training(steps(400), learning_rate=3e-3)
    return Recipes(
        pca_residual=PcaRecipe(num_components=32),
        nearest=NearestRecipe(num_neighbours=5),
        gradient_residual=PcaRecipe(num_components=64),
        gradient_nearest=NearestRecipe(num_neighbours=5),
        isolation_forest=ForestRecipe(num_trees=100, sample_size=256),
        one_class_svm=SupportRecipe(num_components=64, nu=NU),
        autoencoder=NetworkRecipe(num_features=32, width=256, training=network),
        vae=NetworkRecipe(num_features=32, width=256, training=network),
        deep_svdd=SvddRecipe(
            num_features=32,
            width=256,
            pretraining=network,
            training=_training(steps(300), learning_rate=1e-3, weight_decay=1e-2),
        ),
        hybrid=HybridRecipe(num_features=32, width=256, training=network, nu=NU),
        memory=MemoryRecipe(width=16, memory_size=2000, place_weight=3.0, training=patches),
        moves=MovesRecipe(width=16, training=patches),
        # the pipeline's own search, but for a bank that holds as many images of the one class as there of all, and for
        # the norm, which was chosen on training images of MNIST's class 8, beside which others stood for anomalies
        anogan=Search(
            num_steps=steps(75),
            learning_rate=0.1,
            num_starts=2,
            bank_per_class=2000,
            feature_weight=0.1,
            norm=2.0,
            batch_size=256,
        ),
        fanogan=EncoderRecipe(width=256, feature_weight=1.0, training=_training(steps(1000), learning_rate=1e-3)),
    )


def networks(normals: Float[torch.Tensor, "n channels height width"], *, steps: int, seed: int) -> Networks:
    """A generator and a discriminator of one class, trained on its normals."""
    _, channels, height, width = normals.shape
    recipe = default_recipe(
        batch_size=32, generator_width=16, discriminator_width=8, augmented_below=1, diversity_weight=10.0
    )
    config = recipe.settled((height, width, channels), num_records=len(normals))
    codes = torch.zeros(len(normals), dtype=torch.int64)
    *_, last = islice(train(normals, codes, config=config, seed=seed, num_classes=1), steps)
    return Networks(generator=last.state.average, discriminator=last.state.discriminator)
