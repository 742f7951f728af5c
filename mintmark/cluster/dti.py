"""The network of deep transformation-invariant K-means (Monnier, Groueix and Aubry, NeurIPS 2020).

The loss of an image x is min_k || x - T(c_k; theta_k(x)) ||^2: each cluster k predicts from the image
the affine transformation that brings its prototype c_k nearest to it. Several starts, which share nothing, run side by
side in one program: every parameter leads with the start. Knows nothing of optimisers or labels.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import nn
from torch.nn import functional

from mintmark.cluster.transformations import identity, warp

PLACES = 4  # the encoder's features keep a 4x4 grid of places: where a stroke lies is what it must tell


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What rebuilds a network.

    Attributes:
        shape: (height, width, channels) of the images.
        num_clusters: Clusters of one start.
        width: Channels of the encoder's first convolution; the second has twice as many.
        num_features: What the encoder tells the heads.
        hidden: Hidden units of one cluster's head.
    """

    shape: tuple[int, int, int]
    num_clusters: int
    width: int
    num_features: int
    hidden: int


class DTI(nn.Module):
    """Several starts (S) of K prototypes, one encoder a start, one head a cluster.

    Images are taken with their background subtracted, since what is read from outside an image is 0. A head's last layer
    starts at zero, so that every transformation starts as the identity.

    Attributes:
        form: What rebuilds the network.
        prototypes: (S, K, channels, height, width), background subtracted.
    """

    def __init__(self, form: Form, *, prototypes: torch.Tensor, rng: torch.Generator) -> None:
        super().__init__()
        self.form = form
        starts, clusters, channels = prototypes.shape[:3]
        width, hidden, read = form.width, form.hidden, 2 * form.width * PLACES * PLACES
        self.prototypes = nn.Parameter(prototypes.clone())
        self.first_weight = _drawn(starts * width, channels, 3, 3, inputs=9 * channels, rng=rng)
        self.first_bias = nn.Parameter(torch.zeros(starts * width))
        self.second_weight = _drawn(starts * 2 * width, width, 3, 3, inputs=9 * width, rng=rng)
        self.second_bias = nn.Parameter(torch.zeros(starts * 2 * width))
        self.features_weight = _drawn(starts, form.num_features, read, inputs=read, rng=rng)
        self.features_bias = nn.Parameter(torch.zeros(starts, 1, form.num_features))
        self.hidden_weight = _drawn(starts, clusters, hidden, form.num_features, inputs=form.num_features, rng=rng)
        self.hidden_bias = nn.Parameter(torch.zeros(starts, clusters, 1, hidden))
        self.affine_weight = nn.Parameter(torch.zeros(starts, clusters, 6, hidden))
        self.affine_bias = nn.Parameter(torch.zeros(starts, clusters, 1, 6))

    @property
    def num_starts(self) -> int:
        """How many independent starts run side by side."""
        return len(self.prototypes)

    def per_cluster(self) -> tuple[nn.Parameter, ...]:
        """The parameters that belong to single clusters; each leads with (start, cluster)."""
        return (self.prototypes, self.hidden_weight, self.hidden_bias, self.affine_weight, self.affine_bias)

    def affines(self, images: Float[torch.Tensor, "n channels height width"]) -> Float[torch.Tensor, "starts k n 6"]:
        """The transformation that each cluster of each start would apply to its prototype to meet each image."""
        starts, num, stride = self.num_starts, len(images), 2 if min(images.shape[2:]) >= 4 * PLACES else 1
        maps = functional.relu(functional.conv2d(images, self.first_weight, self.first_bias, stride, padding=1))
        maps = functional.conv2d(maps, self.second_weight, self.second_bias, 2, padding=1, groups=starts)
        maps = functional.adaptive_avg_pool2d(functional.relu(maps), PLACES)
        read = maps.view(num, starts, -1).transpose(0, 1)
        features = functional.relu(torch.baddbmm(self.features_bias, read, self.features_weight.transpose(1, 2)))
        # All of a start's heads in one product, (S, n, K * hidden), then apart again.
        hidden = torch.bmm(features, self.hidden_weight.flatten(1, 2).transpose(1, 2))
        hidden = hidden.view(starts, num, -1, self.form.hidden).transpose(1, 2) + self.hidden_bias
        return functional.relu(hidden) @ self.affine_weight.transpose(2, 3) + self.affine_bias + identity(hidden)

    @torch.no_grad()
    def distances(
        self,
        images: Float[torch.Tensor, "n channels height width"],
        affines: Float[torch.Tensor, "starts k n 6"] | None,
    ) -> Float[torch.Tensor, "starts k n"]:
        """Mean squared difference per pixel of every image from every cluster's answer, without gradient.

        Args:
            images: Background subtracted.
            affines: What `affines` returns for these images; None for untransformed prototypes.
        """
        if affines is None:
            flat = self.prototypes.flatten(2)
            return torch.cdist(flat, images.flatten(1).expand(len(flat), -1, -1)).square() / flat.shape[2]
        answers = warp(self.prototypes.flatten(0, 1), affines.flatten(0, 1)).unflatten(0, self.prototypes.shape[:2])
        return (answers - images).square().mean(dim=(3, 4, 5))

    def errors(
        self,
        images: Float[torch.Tensor, "n channels height width"],
        affines: Float[torch.Tensor, "starts k n 6"] | None,
        clusters: Int64[torch.Tensor, "starts n"],
    ) -> Float[torch.Tensor, "starts n"]:
        """`distances` of each image from one chosen cluster of each start, with gradient.

        With the nearest cluster chosen this has the gradient of the minimum over clusters: where the minimum is reached
        by one cluster alone, its derivative is that cluster's, and the others do not enter (Danskin 1967). So all K are
        warped without gradient, and one of them again with it.
        """
        starts = torch.arange(self.num_starts, device=clusters.device)[:, None]
        answers = self.prototypes[starts, clusters]  # (S, n, channels, height, width)
        if affines is not None:
            columns = torch.arange(len(images), device=clusters.device)
            chosen = affines[starts, clusters, columns]  # (S, n, 6)
            answers = warp(answers.flatten(0, 1), chosen.reshape(-1, 1, 6)).view_as(answers)
        return (answers - images).square().mean(dim=(2, 3, 4))

    def start(self, index: int) -> "DTI":
        """One start alone, with weights of its own."""
        alone = DTI(self.form, prototypes=self.prototypes[index, None].detach(), rng=torch.Generator())
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                share = parameter.chunk(self.num_starts)[index]
                alone.get_parameter(name).copy_(share)
        return alone.to(self.prototypes.device)


def _drawn(*size: int, inputs: int, rng: torch.Generator) -> nn.Parameter:
    """Weights before a ReLU (He et al. 2015), from an explicit generator."""
    return nn.Parameter(torch.randn(size, generator=rng) * math.sqrt(2 / inputs))
