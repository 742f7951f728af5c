"""Transformed mixtures of Gaussians: EM over a discrete set of transformations (Frey and Jojic, PAMI 2003).

The expectation over translations is exact, by the fast Fourier transform. The maximisation takes means first, by
conjugate gradients on their linear equations, then variances (Meng and Rubin 1993), so the likelihood never falls but
where an emptied component is filled again. Knows nothing of labels.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64

from mintmark.cluster.climb import climb
from mintmark.cluster.clustering import Entry, Fit, require_distinct, require_finite
from mintmark.cluster.gaussian_mixture import Mixture, refill
from mintmark.cluster.kmeans import spread
from mintmark.cluster.linear_warps import LinearWarps, rotated_and_scaled
from mintmark.cluster.model import background_of
from mintmark.cluster.shifts import Shifts
from mintmark.cluster.transformed_mixture import (
    Transformations,
    TransformedMixture,
    densities,
    powers,
    rows_at_once,
)

CONJUGATE_STEPS = 10  # each brings the means nearer to their maximum, so any number keeps the ascent


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a transformed mixture is fitted.

    Attributes:
        starts: How many starts run side by side.
        steps: Steps of expectation-maximisation at most; all starts stop earlier once none gains.
        tolerance: A start gains while its log-likelihood a pixel rises by more than this in a step.
        smallest_deviation: Floor of a pixel's standard deviation, in pixels of [-1, 1].
        farthest: Translations go by up to so many pixels in each direction.
        rotations: In degrees; (0,) for none.
        scales: Each with every rotation; (1,) for none.
    """

    starts: int
    steps: int
    tolerance: float
    smallest_deviation: float
    farthest: int
    rotations: tuple[float, ...] = (0.0,)
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for name in ("starts", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("tolerance", "farthest"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.smallest_deviation <= 0:
            raise ValueError(f"smallest_deviation must be above 0, got {self.smallest_deviation}")
        if not self.rotations or not self.scales:
            raise ValueError("rotations and scales must hold at least one value each")
        if min(self.scales) <= 0:
            raise ValueError(f"scales must be above 0, got {min(self.scales)}")


def fit(images: Float[torch.Tensor, "n channels height width"], *, num_clusters: int, recipe: Recipe, seed: int) -> Fit:
    """Fit transformed mixtures to images, and keep the one of the highest likelihood.

    Each start begins with means that are images drawn as k-means++ draws them, all equally and evenly wide.

    Args:
        images: In [-1, 1].
        num_clusters: Components of a start.
        recipe: How.
        seed: Of the starts.

    Returns:
        The losses are negative log-likelihoods of frames, in nats a pixel.

    Raises:
        BadInput: there are fewer different images than clusters, or a pixel is no finite number.
    """
    require_finite(images)
    require_distinct(images, num_clusters=num_clusters)
    background, (height, width) = background_of(images), images.shape[2:]
    shifts = Shifts(height=height, width=width, farthest=recipe.farthest)
    affines = rotated_and_scaled(recipe.rotations, recipe.scales, frame=shifts.frame).to(images.device)
    transformations = Transformations(shifts, LinearWarps(affines, frame=shifts.frame))
    frames = shifts.embed((images - background[:, None, None]).double())
    mixture = _begin(frames, num_clusters=num_clusters, recipe=recipe, seed=seed)
    better = partial(improve, frames, transformations=transformations, smallest=recipe.smallest_deviation**2)
    step, history, restarts = None, [], 0
    for step in climb(mixture, better, steps=recipe.steps, tolerance=recipe.tolerance):
        history += [Entry(start, step.number, -value, "discrete") for start, value in enumerate(step.before.tolist())]
        restarts += step.restarts
    assert step is not None
    losses, clusters = _settle(frames, step.model, transformations)
    best = Mixture(*(part[losses.argmin(), None] for part in step.model))
    return Fit(
        TransformedMixture(mixture=best, transformations=transformations, background=background),
        losses.to(images.dtype),
        clusters,
        tuple(history),
        {"steps": float(step.number), "starts": float(recipe.starts), "restarts": float(restarts)},
    )


class _Sums(NamedTuple):
    """What a maximisation needs of the expectations; frames are moved back before they are summed."""

    counts: Float64[torch.Tensor, "components warps"]
    frames: Float64[torch.Tensor, "components warps channels h w"]
    squares: Float64[torch.Tensor, "components channels h w"]
    likelihoods: Float64[torch.Tensor, "starts n"]


def improve(
    frames: Float64[torch.Tensor, "n channels h w"],
    mixture: Mixture,
    *,
    transformations: Transformations,
    smallest: float,
) -> tuple[Float64[torch.Tensor, " starts"], Mixture, int]:
    """One step of expectation-maximisation, and emptied components filled again.

    Returns:
        The log-likelihood before the step (mean over frames, nats a pixel), the mixture after it, and how many
        components were filled again.
    """
    sums = _expect(frames, mixture, transformations)
    outer, shape = mixture.weights.shape, frames.shape[1:]
    totals = sums.counts.sum(dim=1).clamp(min=torch.finfo(torch.float64).tiny)
    precisions = (1 / mixture.variances).reshape(-1, *shape)
    means = _better_means(mixture.means.reshape(-1, *shape), precisions, sums, transformations.warps)
    warped = transformations.warps(means)
    left = (sums.counts[:, :, None, None, None] * warped - 2 * sums.frames) * warped
    variances = (sums.squares + left.sum(dim=1)) / totals[:, None, None, None]
    improved = Mixture(
        (totals / len(frames)).view(outer), means.view(*outer, -1), variances.clamp(min=smallest).view(*outer, -1)
    )
    restarts = refill(frames.flatten(1), improved, totals.view(outer), sums.likelihoods)
    return sums.likelihoods.mean(dim=1) / math.prod(shape), improved, restarts


def _expect(frames: torch.Tensor, mixture: Mixture, transformations: Transformations) -> _Sums:
    (shifts, warps), (starts, clusters) = transformations, mixture.weights.shape
    answer, channels = densities(mixture, transformations, channels=frames.shape[1]), frames.shape[1]
    counts = frames.new_zeros(starts * clusters, len(warps))
    summed, likelihoods = frames.new_zeros(counts.numel(), 2 * channels, *frames.shape[2:]), []
    for block in frames.split(rows_at_once(mixture, transformations)):
        logs = answer(block)
        likelihoods.append(logs.logsumexp(dim=(2, 3, 4)))
        members = (logs - likelihoods[-1][:, :, None, None, None]).exp().flatten(1, 3)  # (n, S * K * R, T)
        counts += members.sum(dim=(0, 2)).view_as(counts)
        summed += shifts.gather(powers(block), members)
    squares, firsts = summed.unflatten(0, counts.shape).split(channels, dim=2)
    return _Sums(counts, firsts, squares.sum(dim=1), torch.cat(likelihoods).T)


def _better_means(means: torch.Tensor, precisions: torch.Tensor, sums: _Sums, warps: LinearWarps) -> torch.Tensor:
    """Conjugate gradients, preconditioned by the diagonal, on sum_r W_r' P (N_r W_r mu - A_r) = 0, from the old means.

    Without warps the matrix is diagonal, and one step is exact.
    """
    weights = sums.counts[:, :, None, None, None] * precisions[:, None]
    diagonal = warps.squared_adjoint(weights).clamp(min=torch.finfo(torch.float64).tiny)
    rest = warps.adjoint(precisions[:, None] * sums.frames - weights * warps(means))
    direction = scaled = rest / diagonal
    along = _inner(rest, scaled)
    for _ in range(CONJUGATE_STEPS):
        turned = warps.adjoint(weights * warps(direction))
        curvature = _inner(direction, turned)
        length = torch.where(curvature > 0, along / curvature, 0.0)  # a settled component stays
        means, rest = means + length * direction, rest - length * turned
        scaled, before = rest / diagonal, along
        along = _inner(rest, scaled)
        direction = scaled + torch.where(before > 0, along / before, 0.0) * direction
    return means


def _inner(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (one * other).sum(dim=(1, 2, 3), keepdim=True)


def _settle(
    frames: torch.Tensor, mixture: Mixture, transformations: Transformations
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each start's loss, and its likeliest component of each image."""
    answer = densities(mixture, transformations, channels=frames.shape[1])
    blocks = frames.split(rows_at_once(mixture, transformations))
    logs = torch.cat([answer(block).logsumexp(dim=(3, 4)) for block in blocks])  # (n, S, K)
    return -logs.logsumexp(dim=2).mean(dim=0) / frames[0].numel(), logs.argmax(dim=2).T.contiguous()


def _begin(frames: torch.Tensor, *, num_clusters: int, recipe: Recipe, seed: int) -> Mixture:
    rng, points = torch.Generator().manual_seed(seed), frames.flatten(1)
    means = spread(points, num_clusters=num_clusters, starts=recipe.starts, rng=rng)
    variance = points.var(dim=0, correction=0).mean().clamp(min=recipe.smallest_deviation**2)
    weights = means.new_full((recipe.starts, num_clusters), 1 / num_clusters)
    return Mixture(weights, means, variance.expand_as(means).clone())
