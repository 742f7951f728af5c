"""Clusters that teach networks, whose answers are the next clusters (self-labelling, Van Gansbeke et al. 2020).

A prototype that is moved and bent takes images that are none of its kind. A network that is taught every image's cluster,
on images that are shifted, turned and scaled, learns what their own shape tells, and not where a prototype slipped.
Unlike there, each image is answered for by a network that was taught without it, and all images teach, not only those of
which a network is sure. Whether that helps cannot be seen without labels. What can be seen is how many images each round
moves: where clusters are kinds of images, ever fewer. Knows nothing of labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.classify.out_of_fold import Folds, teach
from mintmark.cluster.clustering import Assignment, Fit
from mintmark.cluster.model import TransformedClusters
from mintmark.cluster.vote import Voted
from mintmark.neighbours import nearest

Fault = Literal["collapse", "drift"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How clusters teach.

    Attributes:
        rounds: At most so many; 0 for none.
        least_kept: A round that leaves a cluster less than this share of what it had before the first one is refused.
        folds: How the networks of a round are taught.
    """

    rounds: int
    least_kept: float
    folds: Folds

    def __post_init__(self) -> None:
        if self.rounds < 0:
            raise ValueError(f"rounds must not be negative, got {self.rounds}")
        if not 0 < self.least_kept <= 1:
            raise ValueError(f"least_kept must be above 0 and at most 1, got {self.least_kept}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SelfLabelled:
    """Clusters up to transformations, of which each image's is what networks say; a `Clustering`.

    Any of the images that taught has the answer of the network that was taught without it; every other one that of all
    networks, by the mean of their probabilities.

    Attributes:
        clustering: Whose clusters they are.
        networks: Of one round.
        images: Those that taught, in [-1, 1].
        clusters: The cluster of each of them.
    """

    clustering: TransformedClusters
    networks: tuple[Classifier, ...]
    images: Float[torch.Tensor, "m channels height width"]
    clusters: Int64[torch.Tensor, " m"]

    @property
    def prototypes(self) -> Float[torch.Tensor, "clusters channels height width"]:
        """The clusters' pictures, in about [-1, 1]."""
        return self.clustering.prototypes

    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The cluster that the networks say, and the distance from what that cluster makes of each image."""
        asked = nearest(images.flatten(1), self.images.flatten(1))
        distances, rows = asked.distances[:, 0], asked.indices[:, 0]
        beliefs = torch.stack([logits(network, images).softmax(dim=1) for network in self.networks])
        answers = beliefs.mean(dim=0).argmax(dim=1).to(images.device)
        clusters = torch.where(distances == 0, self.clusters[rows], answers)
        return Assignment(clusters, self.clustering.distances(images).gather(0, clusters[None])[0])

    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Each image carried into the frame of its cluster's prototype."""
        return self.clustering.align(images, clusters)


class Round(NamedTuple):
    """What one round found.

    Attributes:
        clusters: Of each image, by the network that was taught without it.
        networks: One a fold.
        moved: Share of the images that had another cluster before the round.
        kept: What the cluster that shrank most still has, as a share of its images before the first round.
    """

    clusters: Int64[torch.Tensor, " n"]
    networks: tuple[Classifier, ...]
    moved: float
    kept: float


class Findings(NamedTuple):
    """What all rounds found.

    Attributes:
        fit: The given one, with the clusters of the last round that was not refused.
        rounds: All of them, the last one even if it was refused.
        fault: Why it was: a cluster collapsed, or more images moved than in the round before; None where none was.
    """

    fit: Fit
    rounds: tuple[Round, ...]
    fault: Fault | None

    def as_json(self) -> dict[str, Any]:
        """The signs of every round, and what they led to."""
        return {
            "rounds": len(self.rounds) - (self.fault is not None),
            "moved": [one.moved for one in self.rounds],
            "kept": [one.kept for one in self.rounds],
            "refused": self.fault,
        }


def self_labelled(
    fit: Fit, images: Float[torch.Tensor, "n channels height width"], *, recipe: Recipe, seed: int
) -> Findings:
    """Let the clusters of the best start teach, round after round, until one is refused.

    Args:
        fit: Of `mintmark.cluster.training`, to these images.
        images: In [-1, 1], on the device to learn on.
        recipe: How.
        seed: Of the folds, the weights and the batches.

    Raises:
        BadInput: there are fewer images than folds.
    """
    best, done, taken, fault = int(fit.losses.argmin()), [], None, None
    for one in rounds(images, fit.clusters[best], num_clusters=len(fit.best.prototypes), recipe=recipe, seed=seed):
        fault = _fault(one, taken, recipe)
        done.append(one)
        if fault:
            break
        taken = one
    if done:
        steps = float(len(done) * recipe.folds.number * recipe.folds.recipe.steps)
        fit = fit._replace(cost=fit.cost | {"self_label_steps": steps})
    if taken is None:
        return Findings(fit, tuple(done), fault)
    clustering = fit.best.clustering if isinstance(fit.best, Voted) else fit.best
    assert isinstance(clustering, TransformedClusters)
    found = SelfLabelled(clustering=clustering, networks=taken.networks, images=images, clusters=taken.clusters)
    clusters = fit.clusters.clone()
    clusters[best] = found.assign(images).clusters  # of equal images, that of one of them
    return Findings(fit._replace(best=found, clusters=clusters), tuple(done), fault)


def rounds(
    images: Float[torch.Tensor, "n channels height width"],
    clusters: Int64[torch.Tensor, " n"],
    *,
    num_clusters: int,
    recipe: Recipe,
    seed: int,
) -> Iterator[Round]:
    """Yield after every round; each is taught by the clusters of the one before.

    Args:
        images: In [-1, 1], on the device to learn on.
        clusters: Of each of them, before the first round.
        num_clusters: How many there are.
        recipe: How.
        seed: Of the folds, the weights and the batches.

    Raises:
        BadInput: there are fewer images than folds.
    """
    first = clusters.bincount(minlength=num_clusters)
    for number in range(recipe.rounds):
        own = int(np.random.default_rng([seed, number]).integers(2**31))
        taught = teach(images, clusters, num_classes=num_clusters, folds=recipe.folds, seed=own)
        before, clusters = clusters, taught.beliefs.argmax(dim=1).to(images.device)
        left = clusters.bincount(minlength=num_clusters)[first > 0].double() / first[first > 0]
        yield Round(clusters, taught.networks, float((clusters != before).double().mean()), float(left.min()))


def _fault(one: Round, before: Round | None, recipe: Recipe) -> Fault | None:
    if one.kept < recipe.least_kept:
        return "collapse"
    return "drift" if before is not None and one.moved > before.moved else None
