"""How many clusters there are, by how well two halves of the data agree.

Where there are k clusters, two models fitted on different records part a third set of records alike; where there are
not, each draws its borders elsewhere (Ben-Hur, Elisseeff and Guyon 2002). Agreement is the adjusted Rand index: 0 by
chance, 1 where both partitions are one. Even a single cloud is parted stably along its longest axis, so each number
stands beside the same measure on a cloud without clusters: normal, with the mean and covariance of the data. Knows
nothing of labels.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from sklearn.metrics import adjusted_rand_score

from mintmark.cluster.clustering import Clustering
from mintmark.errors import BadInput
from mintmark.intervals import Interval, mean
from mintmark.progress import track

LEAST_ROUNDS = 3
LEVEL = 0.95

Images = Float[torch.Tensor, "n channels height width"]
Fitter = Callable[[torch.Tensor, int, int], Clustering]  # of images, a number of clusters, and a seed


class Stability(NamedTuple):
    """What was found of one number of clusters.

    Attributes:
        num_clusters: The number.
        agreement: Mean adjusted Rand index over rounds, with Student's interval.
        without: The same on clouds without clusters.
        excess: Of the one over the other, round by round; its interval allows for the choice among all numbers.
    """

    num_clusters: int
    agreement: Interval
    without: Interval
    excess: Interval

    @property
    def is_real(self) -> bool:
        """Whether records agree better than a cloud would."""
        return self.excess.low > 0.0


class Choice(NamedTuple):
    """The number of clusters.

    Attributes:
        chosen: The number; None where no number is more stable than in a cloud without clusters.
        curve: Every number that was tried, in order.
    """

    chosen: int | None
    curve: tuple[Stability, ...]


def choose_number(
    images: Images, *, fitter: Fitter, numbers: Sequence[int], rounds: int, rng: np.random.Generator
) -> Choice:
    """Choose how many clusters to make.

    Of the numbers that are more stable than a cloud without clusters, those count whose agreement reaches the lower end
    of the most stable one's interval, and the largest of them is chosen: coarser partitions of well parted clusters can
    be as stable as the true one, finer ones cannot.

    Args:
        images: In [-1, 1].
        fitter: Makes so many clusters of some images.
        numbers: To be tried; each at least 2, since one cluster agrees with itself always.
        rounds: Random thirds of the records.
        rng: Draws thirds, clouds and seeds.

    Raises:
        BadInput: there are no numbers, one is below 2, or a third of the records is smaller than the largest of them.
    """
    tried = sorted(set(numbers))
    if not tried or tried[0] < 2:
        raise BadInput(f"numbers of clusters to choose from must be at least 2, got {list(numbers)}")
    if len(images) // 3 < tried[-1]:
        raise BadInput(f"expected at least {3 * tried[-1]} records to try {tried[-1]} clusters, got {len(images)}")
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"rounds must be at least {LEAST_ROUNDS}, got {rounds}")
    found = np.zeros((2, rounds, len(tried)))
    for number in track(range(rounds), "number-of-clusters", total=rounds):
        for place, data in enumerate((images, cloud(images, rng=rng))):
            thirds = torch.from_numpy(rng.permutation(len(data))).to(data.device).tensor_split(3)
            seeds = rng.integers(1 << 31, size=2).tolist()
            found[place, number] = [agreement(data, thirds, fitter=fitter, num_clusters=k, seeds=seeds) for k in tried]
    shared = 1.0 - (1.0 - LEVEL) / len(tried)
    curve = tuple(
        Stability(
            k,
            mean(found[0, :, column], level=LEVEL),
            mean(found[1, :, column], level=LEVEL),
            mean(found[0, :, column] - found[1, :, column], level=shared),
        )
        for column, k in enumerate(tried)
    )
    return Choice(_best(curve), curve)


def agreement(
    images: Images, thirds: Sequence[torch.Tensor], *, fitter: Fitter, num_clusters: int, seeds: Sequence[int]
) -> float:
    """Adjusted Rand index of what models fitted on the first and the second third make of the last."""
    pairs = zip(thirds[:2], seeds, strict=True)
    parts = [fitter(images[rows], num_clusters, seed).assign(images[thirds[2]]) for rows, seed in pairs]
    return float(adjusted_rand_score(*(part.clusters.cpu().numpy() for part in parts)))


def cloud(images: Images, *, rng: np.random.Generator) -> Images:
    """As many normal draws with the mean and covariance of the images: alike but for their clusters.

    A draw is the mean and a combination of all centred images with independent normal weights, so that no covariance
    matrix is made.
    """
    centred = images.flatten(1) - images.flatten(1).mean(dim=0)
    weights = torch.from_numpy(rng.standard_normal((len(images), len(images)))).to(centred)
    drawn = images.flatten(1).mean(dim=0) + weights @ centred / len(images) ** 0.5
    return drawn.view_as(images)


def _best(curve: Sequence[Stability]) -> int | None:
    real = [one for one in curve if one.is_real]
    if not real:
        return None
    least = max(real, key=lambda one: one.agreement.value).agreement.low
    return max(one.num_clusters for one in real if one.agreement.value >= least)
