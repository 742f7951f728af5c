"""Deep transformation-invariant mixtures of Gaussians (Monnier, Groueix and Aubry, NeurIPS 2020).

An image is drawn from component k with weight pi_k, about the transformed prototype T(c_k), each pixel with a variance
of its own. Warps carry the deviations along with the pixels; a floor is added to every variance. Responsibilities get
no gradient, which leaves that of the likelihood as it is. Knows nothing of labels.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import nn

from mintmark.cluster.clustering import Assignment, Fit, require_distinct, require_finite
from mintmark.cluster.dti import DTI, Offsets
from mintmark.cluster.model import TransformedClusters, background_of
from mintmark.cluster.training import Recipe, begin, follow, learn
from mintmark.transformations.sequence import Warp, apply_all

FIRST_DEVIATION, SMALLEST_DEVIATION = 0.5, 0.25  # in pixels of [-1, 1]
BLOCK_ELEMENTS = 1 << 24


class DTIMixture(nn.Module):
    """Several starts (S) of mixtures of K components about what a network makes of its prototypes; a `Learner`.

    Attributes:
        network: Of the means.
        deviations: (S, K, channels, height, width), of each pixel, beside the floor.
        logits: (S, K), whose softmax are the components' weights.
    """

    def __init__(self, network: DTI) -> None:
        super().__init__()
        self.network = network
        self.deviations = nn.Parameter(torch.full_like(network.prototypes, FIRST_DEVIATION))
        self.logits = nn.Parameter(network.prototypes.new_zeros(network.prototypes.shape[:2]))

    @property
    def prototypes(self) -> nn.Parameter:
        """The network's."""
        return self.network.prototypes

    def per_cluster(self) -> tuple[nn.Parameter, ...]:
        """The parameters that belong to single clusters; each leads with (start, cluster)."""
        return (*self.network.per_cluster(), self.deviations, self.logits)

    def joint(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Offsets
    ) -> Float[torch.Tensor, "starts k n"]:
        """log(weight of a component times the density at an image), in nats a pixel, less the highest log-density.

        The highest density is that at a mean where every variance is at its floor, so all values are at most 0.

        Args:
            images: Background subtracted.
            offsets: What the network's `offsets` returns for these images; none for untransformed prototypes.
        """
        network, outer = self.network, self.prototypes.shape[:2]
        flat = [one.flatten(0, 1) for one in offsets]
        answers = apply_all(network.transformations, self.prototypes.flatten(0, 1)[:, None], flat)
        pairs = [pair for pair in zip(network.transformations, flat, strict=False) if isinstance(pair[0], Warp)]
        carried = apply_all(
            [one for one, _ in pairs], self.deviations.flatten(0, 1)[:, None], [numbers for _, numbers in pairs]
        )
        relative = (
            1 + carried.square() / SMALLEST_DEVIATION**2
        )  # of the floor; (S * K, n or 1, channels, height, width)
        squares = (answers - images).square() / (SMALLEST_DEVIATION**2 * relative)
        logs = -(squares + relative.log()).mean(dim=(2, 3, 4)).unflatten(0, outer) / 2
        return logs + self.logits.log_softmax(dim=1)[:, :, None] / images[0].numel()

    def losses(
        self,
        images: Float[torch.Tensor, "n channels height width"],
        *,
        stage: int,
        prices: Float[torch.Tensor, "starts k"],
    ) -> tuple[Float[torch.Tensor, " starts"], Int64[torch.Tensor, "starts n"]]:
        """Each start's free energy, and each image's likeliest component (Neal and Hinton 1998).

        Without prices it is the negative log-likelihood: nats a pixel, above the least that the floor allows. Prices
        are taken from the joint density where responsibilities are found, and nowhere else.

        Args:
            images: Background subtracted.
            stage: How many transformations take part.
            prices: In nats a pixel.
        """
        pixels, logs = images[0].numel(), self.joint(images, self.network.offsets(images, stage=stage))
        priced = logs.detach() - prices[:, :, None]
        shares = (pixels * priced).log_softmax(dim=1)
        energies = (shares.exp() * (shares / pixels - logs)).sum(dim=1)
        return energies.mean(dim=1), priced.argmax(dim=1)

    def start(self, index: int) -> "DTIMixture":
        """One start alone, with parameters of its own."""
        alone = DTIMixture(self.network.start(index))
        with torch.no_grad():
            alone.deviations.copy_(self.deviations[index, None])
            alone.logits.copy_(self.logits[index, None])
        return alone


@dataclass(frozen=True, kw_only=True, slots=True)
class MixtureClusters:
    """Clusters of images by the likeliest component of a mixture up to transformations; a `Clustering`.

    Attributes:
        mixture: One start.
        background: Each channel's value where nothing is, in [-1, 1].
    """

    mixture: DTIMixture
    background: Float[torch.Tensor, " channels"]

    @property
    def prototypes(self) -> Float[torch.Tensor, "clusters channels height width"]:
        """The clusters' pictures, in about [-1, 1]."""
        return self._means().prototypes

    @torch.no_grad()
    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The likeliest component of each image, and the distance from its transformed prototype."""
        network, found = self.mixture.network, []
        for block in self._blocks(images):
            offsets = network.offsets(block, stage=len(network.transformations))
            clusters = self.mixture.joint(block, offsets).argmax(dim=1)
            found.append((clusters[0], network.errors(block, offsets, clusters)[0]))
        return Assignment(torch.cat([one for one, _ in found]), torch.cat([one for _, one in found]))

    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Each image with what brings its cluster's prototype to it undone, so far as each transformation can be."""
        return self._means().align(images, clusters)

    @torch.no_grad()
    def log_likelihoods(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, " n"]:
        """The logarithm of each image's density, in nats a pixel."""
        network, pixels, found = self.mixture.network, images[0].numel(), []
        for block in self._blocks(images):
            logs = self.mixture.joint(block, network.offsets(block, stage=len(network.transformations)))[0]
            found.append((pixels * logs).logsumexp(dim=0) / pixels)
        return torch.cat(found) - math.log(2 * math.pi * SMALLEST_DEVIATION**2) / 2

    def _means(self) -> TransformedClusters:
        return TransformedClusters(network=self.mixture.network, background=self.background)

    def _blocks(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = max(1, BLOCK_ELEMENTS // self.mixture.prototypes.numel())
        return (images - self.background[:, None, None]).split(rows)


def fit(images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int, recipe: Recipe, seed: int) -> Fit:
    """Fit mixtures up to transformations, and keep the one of the highest likelihood.

    Args:
        images: In [-1, 1], on the device to learn on.
        num_clusters: Components of a start.
        recipe: How; deviations and weights learn as encoder and heads do.
        seed: Of the starts, the weights and the batches.

    Returns:
        The losses are negative log-likelihoods, in nats a pixel.

    Raises:
        BadInput: there are fewer different images than clusters, a pixel is no finite number, or the loss left them.
    """
    require_finite(images)
    require_distinct(images, num_clusters=num_clusters)
    rng, background = torch.Generator().manual_seed(seed), background_of(images)
    centred = images - background[:, None, None]
    mixture = DTIMixture(begin(centred, num_clusters=num_clusters, recipe=recipe, rng=rng))
    mixture, history, cost = follow(learn(mixture, centred, recipe=recipe, rng=rng), recipe)
    starts = [MixtureClusters(mixture=mixture.start(start), background=background) for start in range(recipe.starts)]
    losses = torch.stack([-one.log_likelihoods(images).mean() for one in starts])
    clusters = torch.stack([one.assign(images).clusters for one in starts])
    return Fit(starts[int(losses.argmin())], losses, clusters, history, cost)
