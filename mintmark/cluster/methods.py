"""The clusterings that the command `clusters` offers, by name, each by one recipe for all data. Knows nothing of files.

kmeans    by values as they are
mixture   a Gaussian mixture, whose clusters may be wide or narrow
shifts    K-means up to translations
warps     DTI K-means: series up to warps of time, gain and level, images up to affine transformations, gain and level
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float

from mintmark.cluster import gaussian_mixture, kmeans, shifted_kmeans, training
from mintmark.cluster.clustering import Clustering, Fit
from mintmark.cluster.recipe import Recipe

Method = Literal["kmeans", "mixture", "shifts", "warps"]
METHODS: tuple[Method, ...] = get_args(Method)
SHIFTING: tuple[Method, ...] = ("shifts", "warps")  # their number is chosen by shifts

KMEANS = kmeans.Recipe(starts=10, steps=100)
CHOOSING = kmeans.Recipe(starts=3, steps=50)  # of many fits that choose a number of clusters
MIXTURE = gaussian_mixture.Recipe(starts=10, kmeans_steps=20, steps=100, tolerance=1e-4, smallest_deviation=0.1)
SEQUENCES = {"series": ("time_warp", "colour"), "images": ("affine", "colour")}


def warps(images: Float[torch.Tensor, "n channels height width"]) -> Recipe:
    """The recipe of DTI K-means: what transforms one row is time."""
    return Recipe(
        starts=8,
        priced_starts=0.5,
        priced=0.4,
        price_rate=0.025,
        steps=600,
        transformations=SEQUENCES["series" if images.shape[2] == 1 else "images"],
        identity_steps=50,
        plateau=0.02,
        challenge_every=60,
        cooldown=0.2,
        batch_size=64,
        learning_rate=5e-3,
        prototype_learning_rate=2e-2,
        restart_below=0.2,
        restart_noise=0.02,
        committee=1,
        voters=1,
        width=8,
        num_features=32,
        hidden=16,
    )


def fit(
    images: Float[torch.Tensor, "n channels height width"],
    *,
    method: Method,
    num_clusters: int,
    farthest: int,
    seed: int,
) -> Fit:
    """Cluster by the method of this name.

    Args:
        images: Values of standard deviation about 1, or pixels in [-1, 1]; a series is one row.
        method: The name.
        num_clusters: How many.
        farthest: Of the translations of `shifts`, in pixels.
        seed: Of all draws.

    Raises:
        BadInput: there are fewer different records than clusters, or the loss left the finite numbers.
    """
    match method:
        case "kmeans":
            return kmeans.fit(images, num_clusters=num_clusters, recipe=KMEANS, seed=seed)
        case "mixture":
            return gaussian_mixture.fit(images, num_clusters=num_clusters, recipe=MIXTURE, seed=seed)
        case "shifts":
            return shifted_kmeans.fit(images, num_clusters=num_clusters, farthest=farthest, recipe=KMEANS, seed=seed)
        case "warps":
            return training.fit(images, num_clusters=num_clusters, recipe=warps(images), seed=seed)


def quick(
    images: Float[torch.Tensor, "n channels height width"],
    *,
    method: Method,
    num_clusters: int,
    farthest: int,
    seed: int,
) -> Clustering:
    """Clusters for the choice of their number: by K-means, up to translations where the method moves anything."""
    common = {"num_clusters": num_clusters, "recipe": CHOOSING, "seed": seed}
    if method in SHIFTING:
        return shifted_kmeans.fit(images, farthest=farthest, **common).best
    return kmeans.fit(images, **common).best
