"""The network of deep transformation-invariant K-means (Monnier, Groueix and Aubry, NeurIPS 2020).

The loss of an image x is min_k || x - T(c_k; theta_k(x)) ||^2: each cluster k predicts from the image the
transformations, in sequence, that bring its prototype c_k nearest to it. Several starts, which share nothing, run side
by side in one program: every parameter leads with the start. Knows nothing of optimisers or labels.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import nn
from torch.nn import functional

from mintmark.transformations.sequence import apply_all, named

Offsets = tuple[Float[torch.Tensor, "starts k n _"], ...]  # of the first transformations of a sequence

LARGE = 16  # side from which an image is large: half of its rows and columns tell enough
PLACES = 4  # the encoder's features keep a 4x4 grid of places: where a stroke lies is what it must tell; a series' 1x16


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What rebuilds a network.

    Attributes:
        shape: (height, width, channels) of the images.
        num_clusters: Clusters of one start.
        width: Channels of the encoder's first convolution; the second has twice as many.
        num_features: What the encoder tells the heads.
        hidden: Hidden units of one cluster's head.
        transformations: Their names, in sequence.
    """

    shape: tuple[int, int, int]
    num_clusters: int
    width: int
    num_features: int
    hidden: int
    transformations: tuple[str, ...] = ("affine",)


class DTI(nn.Module):
    """Several starts (S) of K prototypes, one encoder a start, one head a cluster.

    Images are taken with their background subtracted, since what is read from outside an image is 0. A head's last
    layers, one a transformation, start at zero, so that every transformation starts as the identity.

    Attributes:
        form: What rebuilds the network.
        prototypes: (S, K, channels, height, width), background subtracted.
        transformations: In sequence.
    """

    def __init__(self, form: Form, *, prototypes: torch.Tensor, rng: torch.Generator) -> None:
        super().__init__()
        self.form, self.transformations = form, named(form.transformations)
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
        for one in self.transformations:
            numbers = one.num_parameters(channels)
            self.register_parameter(f"{one.name}_weight", nn.Parameter(torch.zeros(starts, clusters, numbers, hidden)))
            self.register_parameter(f"{one.name}_bias", nn.Parameter(torch.zeros(starts, clusters, 1, numbers)))

    @property
    def num_starts(self) -> int:
        """How many independent starts run side by side."""
        return len(self.prototypes)

    def per_cluster(self) -> tuple[nn.Parameter, ...]:
        """The parameters that belong to single clusters; each leads with (start, cluster)."""
        last = (layer for one in self.transformations for layer in self.last_layer(one.name))
        return (self.prototypes, self.hidden_weight, self.hidden_bias, *last)

    def last_layer(self, name: str) -> tuple[nn.Parameter, nn.Parameter]:
        """The heads' weights (S, K, numbers, hidden) and biases (S, K, 1, numbers) of one transformation."""
        return self.get_parameter(f"{name}_weight"), self.get_parameter(f"{name}_bias")

    def offsets(self, images: Float[torch.Tensor, "n channels height width"], *, stage: int) -> Offsets:
        """What tells the transformations by which each cluster of each start would bring its prototype to each image.

        Args:
            images: Background subtracted.
            stage: How many of the transformations take part, from the first; the others are the identity.
        """
        if stage == 0:
            return ()
        starts, num = self.num_starts, len(images)
        maps = functional.relu(functional.conv2d(images, self.first_weight, self.first_bias, _step(images), padding=1))
        maps = functional.conv2d(maps, self.second_weight, self.second_bias, 2, padding=1, groups=starts)
        places = (1, PLACES**2) if images.shape[2] == 1 else (PLACES, PLACES)
        maps = functional.adaptive_avg_pool2d(functional.relu(maps), places)
        read = maps.reshape(num, starts, -1).transpose(0, 1)  # a convolution of one row may lie otherwise in memory
        features = functional.relu(torch.baddbmm(self.features_bias, read, self.features_weight.transpose(1, 2)))
        # All of a start's heads in one product, (S, n, K * hidden), then apart again.
        hidden = torch.bmm(features, self.hidden_weight.flatten(1, 2).transpose(1, 2))
        hidden = hidden.view(starts, num, -1, self.form.hidden).transpose(1, 2) + self.hidden_bias
        hidden, layers = functional.relu(hidden), [self.last_layer(one.name) for one in self.transformations[:stage]]
        return tuple(hidden @ weight.transpose(2, 3) + bias for weight, bias in layers)

    @torch.no_grad()
    def distances(
        self, images: Float[torch.Tensor, "n channels height width"], offsets: Offsets, *, step: int = 1
    ) -> Float[torch.Tensor, "starts k n"]:
        """Mean squared difference per pixel of every image from every cluster's answer, without gradient.

        Args:
            images: Background subtracted.
            offsets: What `offsets` returns for these images; none for untransformed prototypes.
            step: Of the rows and columns, every so manieth is looked at; of untransformed prototypes all are, which is cheap.
        """
        if not offsets:
            flat = self.prototypes.flatten(2)
            return torch.cdist(flat, images.flatten(1).expand(len(flat), -1, -1)).square() / flat.shape[2]
        every = self.prototypes.flatten(0, 1)[:, None]
        answers = apply_all(self.transformations, every, [one.flatten(0, 1) for one in offsets], step=step)
        differences = answers.unflatten(0, self.prototypes.shape[:2]) - images[..., ::step, ::step]
        return differences.square().mean(dim=(3, 4, 5))

    def errors(
        self,
        images: Float[torch.Tensor, "n channels height width"],
        offsets: Offsets,
        clusters: Int64[torch.Tensor, "starts n"],
    ) -> Float[torch.Tensor, "starts n"]:
        """`distances` of each image from one chosen cluster of each start, with gradient.

        With the nearest cluster chosen this has the gradient of the minimum over clusters: where the minimum is reached
        by one cluster alone, its derivative is that cluster's, and the others do not enter (Danskin 1967). So all K are
        transformed without gradient, and one of them again with it.
        """
        starts = torch.arange(self.num_starts, device=clusters.device)[:, None]
        answers = self.prototypes[starts, clusters]  # (S, n, channels, height, width)
        columns = torch.arange(len(images), device=clusters.device)
        chosen = [one[starts, clusters, columns].flatten(0, 1)[:, None] for one in offsets]  # (S * n, 1, numbers)
        answers = apply_all(self.transformations, answers.flatten(0, 1)[:, None], chosen).view_as(answers)
        return (answers - images).square().mean(dim=(2, 3, 4))

    def losses(
        self,
        images: Float[torch.Tensor, "n channels height width"],
        *,
        stage: int,
        prices: Float[torch.Tensor, "starts k"],
    ) -> tuple[Float[torch.Tensor, " starts"], Int64[torch.Tensor, "starts n"]]:
        """Each start's loss, with gradient, and the cluster that each image chooses; prices enter the choice alone.

        Of large images the choice looks at every second row and column, a quarter of the work; the loss looks at all.

        Args:
            images: Background subtracted.
            stage: How many transformations take part.
            prices: What each cluster adds to its distances.
        """
        offsets = self.offsets(images, stage=stage)
        distances = self.distances(images, tuple(one.detach() for one in offsets), step=_step(images))
        clusters = (distances + prices[:, :, None]).argmin(dim=1)
        return self.errors(images, offsets, clusters).mean(dim=1), clusters

    def start(self, index: int) -> "DTI":
        """One start alone, with weights of its own."""
        alone = DTI(self.form, prototypes=self.prototypes[index, None].detach(), rng=torch.Generator())
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                share = parameter.chunk(self.num_starts)[index]
                alone.get_parameter(name).copy_(share)
        return alone.to(self.prototypes.device)


def _step(images: torch.Tensor) -> int:
    """Of the rows and columns of the images, every so manieth is enough where not all need be looked at."""
    return 2 if min(images.shape[2:]) >= LARGE else 1


def _drawn(*size: int, inputs: int, rng: torch.Generator) -> nn.Parameter:
    """Weights before a ReLU (He et al. 2015), from an explicit generator."""
    return nn.Parameter(torch.randn(size, generator=rng) * math.sqrt(2 / inputs))
