"""K-means up to translations: an image lies as far from a mean as the nearest of its translations does.

Every translation is tried, by the fast Fourier transform, and a mean is that of its images moved back. Series are images
of one row, (n, channels, 1, time). Sums are in double precision. Knows nothing of labels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64

from mintmark.cluster import kmeans
from mintmark.cluster.clustering import Assignment, Entry, Fit, require_distinct, require_finite
from mintmark.cluster.kmeans import spread
from mintmark.cluster.model import background_of
from mintmark.cluster.shifts import Shifts, spectrum

BLOCK_ELEMENTS = 1 << 22


class Nearest(NamedTuple):
    """Each image's cluster, the number of its translation, and the squared distance that remains, of each start."""

    clusters: Int64[torch.Tensor, "starts n"]
    shifts: Int64[torch.Tensor, "starts n"]
    squares: Float64[torch.Tensor, "starts n"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShiftedKMeans:
    """Clusters of images about means, up to translations; a `Clustering`.

    Attributes:
        means: In the frame of the shifts, background subtracted.
        shifts: The translations.
        background: Each channel's value where nothing is, in [-1, 1].
    """

    means: Float64[torch.Tensor, "clusters channels h w"]
    shifts: Shifts
    background: Float[torch.Tensor, " channels"]

    @property
    def prototypes(self) -> Float[torch.Tensor, "clusters channels height width"]:
        """The means within an image's bounds."""
        return self.shifts.crop(self.means).to(self.background.dtype) + self.background[:, None, None]

    def assign(self, images: Float[torch.Tensor, "n channels height width"]) -> Assignment:
        """The nearest mean of each image; distances are over the image's pixels."""
        found = _nearest(self._frames(images), self.means[None], self.shifts)
        return Assignment(found.clusters[0], (found.squares[0] / images[0].numel()).to(images.dtype))

    def align(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Float[torch.Tensor, "n channels height width"]:
        """Each image moved back to where its mean lies nearest."""
        frames, numbers = self._frames(images), self._numbers(images, clusters)
        moved = self.shifts.crop(self.shifts.move_back(frames, numbers)).to(images.dtype)
        return moved + self.background[:, None, None]

    def moves(
        self, images: Float[torch.Tensor, "n channels height width"], clusters: Int64[torch.Tensor, " n"]
    ) -> Int64[torch.Tensor, "n 2"]:
        """How many pixels down and to the right of its cluster's mean each image lies."""
        return self.shifts.offsets(self._numbers(images, clusters))

    def _numbers(self, images: torch.Tensor, clusters: torch.Tensor) -> torch.Tensor:
        """Of the translation that brings each image's mean nearest to it."""
        frames, numbers = self._frames(images), torch.empty_like(clusters)
        for cluster in clusters.unique().tolist():
            rows = torch.nonzero(clusters == cluster)[:, 0]
            numbers[rows] = _nearest(frames[rows], self.means[cluster, None][None], self.shifts).shifts[0]
        return numbers

    def _frames(self, images: torch.Tensor) -> torch.Tensor:
        return self.shifts.embed((images - self.background[:, None, None]).double())


def fit(
    images: Float[torch.Tensor, "n channels height width"],
    *,
    num_clusters: int,
    farthest: int,
    recipe: kmeans.Recipe,
    seed: int,
) -> Fit:
    """Cluster images, or series, by their pixels up to translations.

    Args:
        images: In [-1, 1].
        num_clusters: Of each start.
        farthest: Translations go by up to so many pixels in each direction; of one row, left and right.
        recipe: How many starts and steps.
        seed: Of the starts.

    Raises:
        BadInput: there are fewer different images than clusters, or a pixel is no finite number.
    """
    require_finite(images)
    require_distinct(images, num_clusters=num_clusters)
    shifts, background = Shifts(height=images.shape[2], width=images.shape[3], farthest=farthest), background_of(images)
    frames = shifts.embed((images - background[:, None, None]).double())
    rng = torch.Generator().manual_seed(seed)
    means = spread(frames.flatten(1), num_clusters=num_clusters, starts=recipe.starts, rng=rng)
    means = means.unflatten(2, frames.shape[1:])
    found, history, step = _nearest(frames, means, shifts), [], 0
    for step in range(1, recipe.steps + 1):
        losses = found.squares.mean(dim=1) / images[0].numel()
        history += [Entry(start, step, loss, "shifts") for start, loss in enumerate(losses.tolist())]
        means = torch.stack(
            [_means(frames, *one, shifts=shifts, like=old) for *one, old in zip(*found, means, strict=True)]
        )
        before, found = found, _nearest(frames, means, shifts)
        if torch.equal(found.clusters, before.clusters) and torch.equal(found.shifts, before.shifts):
            break
    losses = found.squares.mean(dim=1) / images[0].numel()
    best = ShiftedKMeans(means=means[losses.argmin()], shifts=shifts, background=background)
    cost = {"steps": float(step), "starts": float(recipe.starts)}
    return Fit(best, losses.to(images.dtype), found.clusters, tuple(history), cost)


def _nearest(frames: torch.Tensor, means: torch.Tensor, shifts: Shifts) -> Nearest:
    """Of frames (n, channels, h, w), each start's means (starts, k, channels, h, w)."""
    flat = means.flatten(0, 1)
    patterns, lengths = spectrum(flat), flat.square().sum(dim=(1, 2, 3))
    parts = []
    for block in frames.split(max(1, BLOCK_ELEMENTS // (len(flat) * frames[0, 0].numel()))):
        products, numbers = shifts.correlate(spectrum(block), patterns).max(dim=2)
        squares = block.square().sum(dim=(1, 2, 3))[:, None] + lengths - 2 * products
        squares, numbers = (one.view(len(block), *means.shape[:2]) for one in (squares, numbers))
        nearest, clusters = squares.min(dim=2)
        parts.append((clusters, numbers.gather(2, clusters[:, :, None])[:, :, 0], nearest.clamp(min=0)))
    return Nearest(*(torch.cat(column).T.contiguous() for column in zip(*parts, strict=True)))


def _means(
    frames: torch.Tensor,
    clusters: torch.Tensor,
    numbers: torch.Tensor,
    squares: torch.Tensor,
    *,
    shifts: Shifts,
    like: torch.Tensor,
) -> torch.Tensor:
    """One start's means of the images moved back; an empty cluster takes the farthest that none has taken yet."""
    moved, counts = shifts.move_back(frames, numbers), torch.bincount(clusters, minlength=len(like))
    means = torch.zeros_like(like).index_add_(0, clusters, moved) / counts.clamp(min=1)[:, None, None, None]
    empty = torch.nonzero(counts == 0)[:, 0]
    means[empty] = moved[squares.topk(len(empty)).indices]
    return means
