"""How many clusters there are, by how well two parts of the data agree.

Where there are k clusters, two models fitted on different records part a third set of records alike; where there are
not, each draws its borders elsewhere (Ben-Hur, Elisseeff and Guyon 2002). Agreement is the adjusted Rand index: 0 by
chance, 1 where both partitions are one. Even a single cloud is parted stably along its longest axis, so the data are
held against clouds without clusters: normal, with the mean and covariance of the data. Were the data such a cloud, they
would be the most stable of all as often as any other, whatever the fit (Hope 1968): exactly so where the covariance is
that of the data's source, about so where it is estimated. Knows nothing of labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from sklearn.metrics import adjusted_rand_score

from mintmark.cluster.clustering import Clustering
from mintmark.errors import BadInput
from mintmark.intervals import Interval, mean
from mintmark.progress import track

CLOUDS = 19  # the fewest by which a p-value can be 0.05
LEVEL = 0.05
EQUAL = 0.01  # difference of two agreements that is none
NEAR_ONE = 0.99  # agreement beyond which there is nothing to be told apart

Images = Float[torch.Tensor, "n channels height width"]
Fitter = Callable[[torch.Tensor, int, int], Clustering]  # of images, a number of clusters, and a seed


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Among which numbers of clusters to choose, and how carefully.

    Attributes:
        least, most: The numbers, both included.
        rounds: Random thirds of the records.
    """

    least: int
    most: int
    rounds: int

    def __post_init__(self) -> None:
        if not 2 <= self.least <= self.most:
            raise ValueError(f"least must lie in 2..most, got {self.least} with most {self.most}")
        if self.rounds < 2:
            raise ValueError(f"rounds must be at least 2, got {self.rounds}")


class Stability(NamedTuple):
    """What was found of one number of clusters.

    Attributes:
        num_clusters: The number.
        agreement: Mean adjusted Rand index over random thirds of the records, with Student's interval over them.
        of_clouds: The mean of the same over clouds without clusters.
        highest_of_clouds: The highest of them.
    """

    num_clusters: int
    agreement: Interval
    of_clouds: float
    highest_of_clouds: float


class Choice(NamedTuple):
    """The number of clusters.

    Attributes:
        chosen: The number; None where the records agree no better than a cloud without clusters would.
        p_value: Probability of agreement so far above that of clouds, at any number, were the data a cloud.
        curve: Every number that was tried, in order.
    """

    chosen: int | None
    p_value: float
    curve: tuple[Stability, ...]

    def required(self) -> int:
        """The number.

        Raises:
            BadInput: there is none.
        """
        if self.chosen is None:
            least, most = self.curve[0].num_clusters, self.curve[-1].num_clusters
            raise BadInput(
                f"expected clusters, found no number of them from {least} to {most} that is more stable than in a cloud "
                f"without clusters (p = {self.p_value:.2f}): give num_clusters as a number"
            )
        return self.chosen

    def as_json(self) -> dict[str, Any]:
        """The choice and its curve as plain values."""
        curve = [{**one._asdict(), "agreement": one.agreement._asdict()} for one in self.curve]
        return {"chosen": self.chosen, "p_value": self.p_value, "curve": curve}


def choose_number(images: Images, *, fitter: Fitter, among: Range, rng: np.random.Generator) -> Choice:
    """Choose how many clusters to make.

    If the data are more stable than clouds, the number of the highest agreement is chosen among those at which they are
    more stable than every cloud; of numbers that agree as well, the largest: coarser partitions of well parted clusters
    can be as stable as the true one, finer ones cannot.

    Args:
        images: In [-1, 1].
        fitter: Makes so many clusters of some images.
        among: Which numbers; its rounds are those of the data and of every cloud.
        rng: Draws thirds, clouds and seeds.

    Raises:
        BadInput: a third of the records is smaller than the largest number.
    """
    tried = range(among.least, among.most + 1)
    if len(images) // 3 < among.most:
        raise BadInput(f"expected at least {3 * among.most} records to try {among.most} clusters, got {len(images)}")
    found = np.zeros((1 + CLOUDS, among.rounds, len(tried)))
    for place in track(range(1 + CLOUDS), "number-of-clusters", total=1 + CLOUDS):
        data = cloud(images, rng=rng) if place else images
        for number in range(among.rounds):
            thirds = torch.from_numpy(rng.permutation(len(data))).to(data.device).tensor_split(3)
            seeds = rng.integers(1 << 31, size=2).tolist()
            found[place, number] = [agreement(data, thirds, fitter=fitter, num_clusters=k, seeds=seeds) for k in tried]
    curve = tuple(
        Stability(k, mean(found[0, :, column]), *_of_clouds(found[1:, :, column])) for column, k in enumerate(tried)
    )
    p_value = exceedance(found.mean(axis=1))
    return Choice(_best(curve) if p_value <= LEVEL else None, p_value, curve)


def agreement(
    images: Images, thirds: Sequence[torch.Tensor], *, fitter: Fitter, num_clusters: int, seeds: Sequence[int]
) -> float:
    """Adjusted Rand index of what models fitted on the first and the second third make of the last."""
    fits = [fitter(images[rows], num_clusters, seed) for rows, seed in zip(thirds[:2], seeds, strict=True)]
    first, second = (fit.assign(images[thirds[2]]).clusters.cpu().numpy() for fit in fits)
    return float(adjusted_rand_score(first, second))


def cloud(images: Images, *, rng: np.random.Generator) -> Images:
    """As many normal draws with the mean and covariance of the images: alike but for their clusters.

    A draw is the mean and a combination with independent normal weights of the rows of R, where the centred images are QR:
    so R'R is their covariance but for their number, and R has no more rows than images have pixels.
    """
    middle = images.flatten(1).mean(dim=0)
    _, root = torch.linalg.qr(images.flatten(1) - middle, mode="r")
    weights = torch.from_numpy(rng.standard_normal((len(images), len(root)))).to(root)
    return (middle + weights @ root / len(images) ** 0.5).view_as(images)


def exceedance(agreements: Float[np.ndarray, "sets numbers"]) -> float:
    """Share of the sets that stand out among all as much as the first does, at the number where each stands out most.

    On Fisher's scale, artanh, on which agreement near 1 is told from agreement at 1, in standard deviations over sets.
    """
    scale = np.arctanh(np.clip(agreements, -NEAR_ONE, NEAR_ONE))
    spread = np.maximum(scale.std(axis=0), np.finfo(float).eps)
    most = ((scale - scale.mean(axis=0)) / spread).max(axis=1)
    return float((most >= most[0]).mean())


def _of_clouds(agreements: Float[np.ndarray, "clouds rounds"]) -> tuple[float, float]:
    means = agreements.mean(axis=1)
    return float(means.mean()), float(means.max())


def _best(curve: Sequence[Stability]) -> int | None:
    above = [one for one in curve if one.agreement.value > one.highest_of_clouds]
    if not above:
        return None
    most = max(one.agreement.value for one in above)
    return max(one.num_clusters for one in above if one.agreement.value >= most - EQUAL)
