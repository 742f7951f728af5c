"""A fitted transformed mixture of Gaussians (Frey and Jojic, PAMI 2003): its densities, and what it answers.

An image is a component's mean under one of some rotations and scales, W, plus noise of a variance for each pixel, the
whole moved by one of all translations, T: x = T (W mu + e). Components are drawn by their weights, transformations
evenly. Sums are in double precision. Knows nothing of how it is fitted.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Complex128, Float, Float64, Int64

from mintmark.cluster.clustering import Assignment
from mintmark.cluster.gaussian_mixture import Mixture
from mintmark.cluster.linear_warps import LinearWarps
from mintmark.cluster.shifts import Shifts, spectrum
from mintmark.transformations.affine import inverse, warp

BLOCK_ELEMENTS = 1 << 22


class Transformations(NamedTuple):
    """The discrete set: every warp with every shift."""

    shifts: Shifts
    warps: LinearWarps


class Poses(NamedTuple):
    """Under which transformation each image shows its component: numbers of a warp and of a translation."""

    warps: Int64[torch.Tensor, " n"]
    shifts: Int64[torch.Tensor, " n"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformedMixture:
    """Clusters of images up to a discrete set of transformations; a `Clustering`.

    Attributes:
        mixture: One start; means and variances of a frame's pixels, background subtracted.
        transformations: The set.
        background: Each channel's value where nothing is, in [-1, 1].
    """

    mixture: Mixture
    transformations: Transformations
    background: Float[torch.Tensor, " channels"]

    @property
    def prototypes(self) -> Float[torch.Tensor, "clusters channels height width"]:
        """The means within an image's bounds."""
        shifts = self.transformations.shifts
        return shifts.crop(self._means()).to(self.background.dtype) + self.background[:, None, None]

    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The likeliest component of each image, and the distance from its mean under the likeliest transformation."""
        shifts, frames = self.transformations.shifts, self._frames(images)
        clusters = torch.cat([logs[:, 0].logsumexp(dim=(2, 3)).argmax(dim=1) for logs in self._logs(frames)])
        poses = self.poses(images, clusters)
        shown = self.transformations.warps(self._means())[clusters, poses.warps]
        distances = shifts.crop(shifts.move(shown, poses.shifts) - frames).square().mean(dim=(1, 2, 3))
        return Assignment(clusters, distances.to(images.dtype))

    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Each image under the inverse of the likeliest transformation of its cluster's mean."""
        shifts, poses = self.transformations.shifts, self.poses(images, clusters)
        moved = shifts.move_back(self._frames(images), poses.shifts)
        undone = inverse(self.transformations.warps.affines)[poses.warps]
        aligned = shifts.crop(warp(moved, undone[:, None])[:, 0])
        return aligned.to(images.dtype) + self.background[:, None, None]

    def poses(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Poses:
        """The likeliest transformation of each image, given its cluster."""
        frames, modes = self._frames(images), []
        for logs, chosen in zip(self._logs(frames), clusters.split(self._rows()), strict=True):
            modes.append(logs[torch.arange(len(chosen)), 0, chosen].flatten(1).argmax(dim=1))
        numbers = torch.cat(modes)
        return Poses(numbers // self.transformations.shifts.num, numbers % self.transformations.shifts.num)

    def _means(self) -> torch.Tensor:
        return self.mixture.means[0].unflatten(1, (len(self.background), *self.transformations.shifts.frame))

    def _frames(self, images: torch.Tensor) -> torch.Tensor:
        return self.transformations.shifts.embed((images - self.background[:, None, None]).double())

    def _rows(self) -> int:
        return rows_at_once(self.mixture, self.transformations)

    def _logs(self, frames: torch.Tensor) -> Iterator[torch.Tensor]:
        asked = densities(self.mixture, self.transformations, channels=len(self.background))
        return (asked(block) for block in frames.split(self._rows()))


Logs = Float64[torch.Tensor, "n starts k warps shifts"]


def densities(
    mixture: Mixture, transformations: Transformations, *, channels: int
) -> Callable[[Float64[torch.Tensor, "n channels h w"]], Logs]:
    """What answers log(weight of a component times the density at a frame under each transformation and its prior).

    Squares of differences are multiplied out, so that the sums over pixels are one correlation of a frame and its
    square with two patterns.
    """
    shifts, warps = transformations
    shape, outer = (channels, *shifts.frame), mixture.weights.shape
    precisions = (1 / mixture.variances).reshape(-1, 1, *shape)  # (S * K, 1, channels, h, w)
    means = warps(mixture.means.reshape(-1, *shape))  # (S * K, R, channels, h, w)
    scaled = means * precisions
    logs = math.prod(shape) * math.log(2 * math.pi) - precisions.log().sum(dim=(2, 3, 4))
    constants = ((means * scaled).sum(dim=(2, 3, 4)) + logs).view(*outer, -1, 1)
    priors = mixture.weights.log()[:, :, None, None] - math.log(len(warps) * shifts.num)
    patterns = spectrum(torch.cat([precisions.expand_as(scaled), -2 * scaled], dim=2).flatten(0, 1))

    def answer(frames: Float64[torch.Tensor, "n channels h w"]) -> Logs:
        squares = shifts.correlate(powers(frames), patterns).view(len(frames), *outer, -1, shifts.num)
        return priors - (squares + constants) / 2

    return answer


def powers(frames: Float64[torch.Tensor, "n channels h w"]) -> Complex128[torch.Tensor, "n powers h f"]:
    """Spectra of the channels' squares, then of the channels themselves."""
    return spectrum(torch.cat([frames.square(), frames], dim=1))


def rows_at_once(mixture: Mixture, transformations: Transformations) -> int:
    """How many images are asked at once, lest memory run out."""
    frame = math.prod(transformations.shifts.frame)
    return max(1, BLOCK_ELEMENTS // (mixture.weights.numel() * len(transformations.warps) * frame))
