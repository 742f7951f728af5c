"""Gaussian mixtures with diagonal covariance by expectation-maximisation (Dempster, Laird and Rubin 1977).

All starts run in one batch, and each begins with the partition that K-means found. The variance of every pixel has a
floor: without one the likelihood has no maximum, and under that constraint no step lets it fall. A component that
explains less than half an image is emptied and takes the image that its start explains worst; only then may the
likelihood fall. Sums are in double precision. Knows nothing of labels.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64

from mintmark.cluster import kmeans
from mintmark.cluster.climb import climb
from mintmark.cluster.clustering import Assignment, Entry, Fit

FEWEST = 0.5  # images that a component must explain, lest it counts as empty


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a mixture is fitted.

    Attributes:
        starts: How many starts run side by side.
        kmeans_steps: Lloyd steps that find each start's first partition.
        steps: Steps of expectation-maximisation at most; all starts stop earlier once none gains.
        tolerance: A start gains while its log-likelihood a pixel rises by more than this in a step.
        smallest_deviation: Floor of a pixel's standard deviation, in pixels of [-1, 1].
    """

    starts: int
    kmeans_steps: int
    steps: int
    tolerance: float
    smallest_deviation: float

    def __post_init__(self) -> None:
        for name in ("starts", "kmeans_steps", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.tolerance < 0:
            raise ValueError(f"tolerance must not be negative, got {self.tolerance}")
        if self.smallest_deviation <= 0:
            raise ValueError(f"smallest_deviation must be above 0, got {self.smallest_deviation}")


class Mixture(NamedTuple):
    """Mixtures of several starts.

    Attributes:
        weights: Of the components; each start's add up to 1.
        means: Of each pixel.
        variances: Of each pixel.
    """

    weights: Float64[torch.Tensor, "starts k"]
    means: Float64[torch.Tensor, "starts k features"]
    variances: Float64[torch.Tensor, "starts k features"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GaussianMixture:
    """Clusters of images by the likelier component of a mixture; a `Clustering`.

    Attributes:
        mixture: One start.
        prototypes: The components' means.
    """

    mixture: Mixture
    prototypes: Float[torch.Tensor, "clusters channels height width"]

    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The likeliest component of each image, and the image's distance from that component's mean."""
        points = images.flatten(1).double()
        clusters = joint(points, self.mixture)[0].argmax(dim=0)
        distances = (points - self.mixture.means[0, clusters]).square().mean(dim=1)
        return Assignment(clusters, distances.to(images.dtype))

    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """The images as they are: a plain mixture knows no transformation."""
        assert len(images) == len(clusters)
        return images

    def log_likelihoods(self, images: Float[torch.Tensor, "n channels height width"]) -> Float64[torch.Tensor, " n"]:
        """The logarithm of each image's density, in nats an image."""
        return joint(images.flatten(1).double(), self.mixture)[0].logsumexp(dim=0)


def fit(images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int, recipe: Recipe, seed: int) -> Fit:
    """Fit mixtures to images, and keep the one of the highest likelihood.

    Args:
        images: In [-1, 1].
        num_clusters: Components of a start.
        recipe: How.
        seed: Of the starts.

    Returns:
        The losses are negative log-likelihoods, in nats a pixel.

    Raises:
        BadInput: there are fewer different images than clusters, or a pixel is no finite number.
    """
    points, smallest = images.flatten(1).double(), recipe.smallest_deviation**2
    first = kmeans.Recipe(starts=recipe.starts, steps=recipe.kmeans_steps)
    partition = kmeans.fit(images, num_clusters=num_clusters, recipe=first, seed=seed).clusters
    mixture = begin(points, partition, num_clusters=num_clusters, smallest=smallest)
    step, history, restarts = None, [], 0
    better = partial(improve, points, smallest=smallest)
    for step in climb(mixture, better, steps=recipe.steps, tolerance=recipe.tolerance):
        history += [Entry(start, step.number, -value, "identity") for start, value in enumerate(step.before.tolist())]
        restarts += step.restarts
    assert step is not None
    mixture = step.model
    logs = joint(points, mixture)
    losses = -logs.logsumexp(dim=1).mean(dim=1) / points.shape[1]
    best = Mixture(*(part[losses.argmin(), None] for part in mixture))
    prototypes = best.means[0].to(images.dtype).reshape(num_clusters, *images.shape[1:])
    return Fit(
        GaussianMixture(mixture=best, prototypes=prototypes),
        losses.to(images.dtype),
        logs.argmax(dim=1),
        tuple(history),
        {"steps": float(step.number), "starts": float(recipe.starts), "restarts": float(restarts)},
    )


def begin(
    points: Float64[torch.Tensor, "n features"],
    partition: Int64[torch.Tensor, "starts n"],
    *,
    num_clusters: int,
    smallest: float,
) -> Mixture:
    """The likeliest mixture if each image surely belongs to its part.

    Args:
        points: The images' pixels.
        partition: No part is empty.
        num_clusters: Parts of each start.
        smallest: Floor of the variances.
    """
    members = torch.nn.functional.one_hot(partition, num_clusters).transpose(1, 2).double()
    return _maximise(points, members, smallest=smallest)


def joint(points: Float64[torch.Tensor, "n features"], mixture: Mixture) -> Float64[torch.Tensor, "starts k n"]:
    """log(weight of component k times its density at image n), in nats an image."""
    precisions = 1 / mixture.variances
    scaled = mixture.means * precisions
    constants = (mixture.means * scaled + mixture.variances.log() + math.log(2 * math.pi)).sum(dim=2)
    squares = precisions @ points.T.square() - 2 * (scaled @ points.T)
    return mixture.weights.log()[:, :, None] - (squares + constants[:, :, None]) / 2


def improve(
    points: Float64[torch.Tensor, "n features"], mixture: Mixture, *, smallest: float
) -> tuple[Float64[torch.Tensor, " starts"], Mixture, int]:
    """One step of expectation-maximisation (Bishop 2006, section 9.2.2), and emptied components filled again.

    Returns:
        The log-likelihood before the step (mean over images, nats a pixel), the mixture after it, and how many
        components were filled again.
    """
    logs = joint(points, mixture)
    likelihoods = logs.logsumexp(dim=1)
    members = (logs - likelihoods[:, None]).exp()
    improved = _maximise(points, members, smallest=smallest)
    restarts = refill(points, improved, members.sum(dim=2), likelihoods)
    return likelihoods.mean(dim=1) / points.shape[1], improved, restarts


def _maximise(points: torch.Tensor, members: torch.Tensor, *, smallest: float) -> Mixture:
    """The likeliest mixture, given how far each component explains each image: (S, K, n)."""
    counts = members.sum(dim=2, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    means = members @ points / counts
    variances = members @ points.square() / counts - means.square()
    return Mixture(counts[:, :, 0] / len(points), means, variances.clamp(min=smallest))


def refill(
    points: Float64[torch.Tensor, "n features"],
    mixture: Mixture,
    counts: Float64[torch.Tensor, "starts k"],
    likelihoods: Float64[torch.Tensor, "starts n"],
) -> int:
    """Put each empty component, in place, at the image that its start explains worst, as wide as its others are.

    Args:
        points: The images' pixels.
        mixture: Changed in place.
        counts: How many images each component explains; less than `FEWEST` is empty.
        likelihoods: The logarithm of each image's density under each start.

    Returns:
        How many components were empty.
    """
    empty = counts < FEWEST
    for start in torch.nonzero(empty.any(dim=1))[:, 0].tolist():
        places = torch.nonzero(empty[start])[:, 0]
        shares = mixture.weights[start].masked_fill(empty[start], 0.0)
        mixture.means[start, places] = points[likelihoods[start].topk(len(places), largest=False).indices]
        mixture.variances[start, places] = (shares[:, None] * mixture.variances[start]).sum(dim=0) / shares.sum()
        mixture.weights[start, places] = 1 / len(points)
        mixture.weights[start] /= mixture.weights[start].sum()
    return int(empty.sum())
