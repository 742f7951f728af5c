"""What keeps clusters from starving: prices on large ones for a while, and restarts of small ones.

Two digits in one cluster and one digit in two is the local minimum that K-means falls into and that restarts of small
clusters never leave, since none of its clusters is small. A price, added to the distances when images choose their
cluster, moves it: it rises while a cluster is larger than the mean and falls while it is smaller (dual ascent on the
constraint of equal sizes). Prices are lifted before the training ends, so the final loss is the unpriced one, and only
some of the starts pay any, so that data of unequal classes find their unequal clusters: the final loss chooses.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import nn


@runtime_checkable
class Clustered(Protocol):
    """What has clusters that can be restarted."""

    @property
    def prototypes(self) -> nn.Parameter:
        """The clusters' pictures; leads with (start, cluster)."""
        ...

    def per_cluster(self) -> tuple[nn.Parameter, ...]:
        """The parameters that belong to single clusters; each leads with (start, cluster)."""
        ...


class Prices:
    """What each cluster of each start adds to its distances.

    Attributes:
        values: The current prices; those of unpriced starts stay 0.
    """

    def __init__(self, *, starts: int, num_clusters: int, num_priced: int, rate: float, device: torch.device) -> None:
        self.values = torch.zeros(starts, num_clusters, device=device)
        self._num_priced, self._rate = num_priced, rate

    def rise(self, sizes: Int64[torch.Tensor, "starts k"], losses: Float[torch.Tensor, " starts"]) -> None:
        """Move each price by the cluster's excess over the mean size, in units of the start's loss."""
        shares = sizes[: self._num_priced].to(losses.dtype)
        excess = shares / shares.mean(dim=1, keepdim=True) - 1
        self.values[: self._num_priced] += self._rate * losses[: self._num_priced, None] * excess

    def lift(self) -> None:
        """Charge nothing any more."""
        self.values.zero_()


def restart_small(
    network: Clustered,
    optimiser: torch.optim.Adam,
    sizes: Int64[torch.Tensor, "starts k"],
    *,
    below: float,
    noise: float,
    rng: torch.Generator,
) -> int:
    """Restart each too small cluster as a copy of its start's largest one, which it then shares the images with.

    Parameters and the optimiser's moments are copied by value into the small cluster's own slots; two clusters that
    shared one moment buffer would drag each other along. The copy's prototype is moved by noise, so that the two part.

    Args:
        network: Changed in place.
        optimiser: Over the network's parameters; its state is changed in place.
        sizes: How many images chose each cluster lately.
        below: A cluster with less than this share of the mean size is too small.
        noise: Standard deviation of the noise.
        rng: A CPU generator.

    Returns:
        How many clusters were restarted.
    """
    remaining, restarted = sizes.double(), 0
    for start, small in torch.nonzero(sizes < below * sizes.double().mean(dim=1, keepdim=True)).tolist():
        largest = int(remaining[start].argmax())
        copy_cluster(network, optimiser, start, source=largest, target=small)
        prototype = network.prototypes.data[start, small]
        prototype += noise * torch.randn(prototype.shape, generator=rng).to(prototype.device)
        remaining[start, largest] /= 2  # the next small cluster may find another one larger
        restarted += 1
    return restarted


def copy_cluster(network: Clustered, optimiser: torch.optim.Adam, start: int, *, source: int, target: int) -> None:
    """Overwrite one cluster of a start by another, moments included."""
    for parameter in network.per_cluster():
        for slot in slots(optimiser, parameter):
            slot[start, target] = slot[start, source]


def slots(optimiser: torch.optim.Adam, parameter: nn.Parameter) -> list[torch.Tensor]:
    """A parameter's values, and its first and second moment where it has any."""
    moments = optimiser.state[parameter]
    return [parameter.data, *(moments[name] for name in ("exp_avg", "exp_avg_sq") if name in moments)]
