"""What leaves a local minimum: starts that give way to challengers of better ones.

Two true clusters in one and one true cluster in two is where K-means stays: between there and the better place lie
only worse ones. A challenger jumps: it is a copy of a start in which one cluster is dropped, whose images go to their
next best, and another is split in two (split-and-merge, Ueda et al. 2000). Where to jump is guessed from distances;
whether it was right is told by the loss alone, after both have learnt on from the same batches for equally long.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float

from mintmark.cluster.balance import copy_cluster, slots
from mintmark.cluster.dti import DTI, Offsets
from mintmark.transformations.sequence import undo_all

LOOKED_AT = 1000  # images by which challengers are made and judged, at most
DROPPED = 5  # clusters, those whose loss would cost least, that a challenger may do without
SMALLEST = 4  # images of a cluster that may be split
TURNS = 10  # of the power iteration, and of two-means
BLOCK_ELEMENTS = 1 << 24

Carry = Callable[[int, torch.Tensor], torch.Tensor]  # images of some rows in the frame of one cluster's prototype


class Move(NamedTuple):
    """A jump of one start.

    Attributes:
        dropped: The cluster whose place is taken.
        split: The cluster that becomes two.
        gain: By how much the loss would fall, as guessed, summed over images.
        halves: Their two prototypes.
    """

    dropped: int
    split: int
    gain: float
    halves: Float[torch.Tensor, "2 channels height width"]


class Challenges:
    """Pairs of a start and its challenger.

    Attributes:
        pairs: (start, challenger); none before the first round.
    """

    def __init__(
        self, network: DTI, optimiser: torch.optim.Adam, images: Float[torch.Tensor, "n channels height width"]
    ) -> None:
        """Challenge no one yet.

        Args:
            network: Changed in place by every round.
            optimiser: Over its parameters; its moments are copied with them.
            images: In random order, background subtracted.
        """
        self.pairs: list[tuple[int, int]] = []
        self._network, self._optimiser, self._images = network, optimiser, images[:LOOKED_AT]
        self._tried: dict[int, set[tuple[int, int]]] = {}

    @torch.no_grad()
    def round(self, *, stage: int) -> int:
        """End the last round, and begin another: the better of each pair is challenged anew.

        The first round pairs the better half of the starts with the worse half, which gives way.

        Args:
            stage: How many transformations take part.

        Returns:
            How many challengers won.
        """
        found = [self._network.offsets(block, stage=stage) for block in self._blocks()]
        offsets = tuple(torch.cat(parts, dim=2) for parts in zip(*found, strict=True))
        distances = torch.cat(
            [self._network.distances(block, part) for block, part in zip(self._blocks(), found, strict=True)], dim=2
        )
        losses, won = distances.min(dim=1).values.mean(dim=1), 0
        if not self.pairs:
            order = losses.argsort(stable=True).tolist()
            half = len(order) // 2
            self.pairs = list(zip(order[:half], order[len(order) - half :], strict=True))
        else:
            for place, (start, challenger) in enumerate(self.pairs):
                if losses[challenger] < losses[start]:
                    self.pairs[place] = (challenger, start)
                    self._tried.pop(start, None)  # what failed elsewhere may work here
                    won += 1
        for start, challenger in self.pairs:
            self._challenge(start, challenger, distances[start], offsets, stage=stage)
        return won

    def _challenge(self, start: int, challenger: int, distances: torch.Tensor, offsets: Offsets, *, stage: int) -> None:
        def carry(cluster: int, rows: torch.Tensor) -> torch.Tensor:
            chosen = [one[start, cluster, rows] for one in offsets]
            return undo_all(self._network.transformations[:stage], self._images[rows], chosen)

        tried = self._tried.setdefault(start, set())
        move = propose(distances, carry, tried=tried)
        for parameter in self._network.parameters():
            for slot in slots(self._optimiser, parameter):
                shares = slot.chunk(self._network.num_starts)
                shares[challenger].copy_(shares[start])
        if move is None:
            return
        tried.add((move.dropped, move.split))
        copy_cluster(self._network, self._optimiser, challenger, source=move.split, target=move.dropped)
        prototypes, *moments = slots(self._optimiser, self._network.prototypes)
        for cluster, half in zip((move.split, move.dropped), move.halves, strict=True):
            prototypes[challenger, cluster] = half
            for one in moments[:1]:  # where a prototype was headed says nothing of its halves
                one[challenger, cluster] = 0.0

    def _blocks(self) -> tuple[torch.Tensor, ...]:
        return self._images.split(max(1, BLOCK_ELEMENTS // self._network.prototypes.numel()))


def propose(
    distances: Float[torch.Tensor, "k n"], carry: Carry, *, tried: set[tuple[int, int]] | frozenset[tuple[int, int]]
) -> Move | None:
    """The most promising jump of a start that was not tried yet; None where there is none.

    Dropping a cluster costs what its images lie farther from their next best. Splitting a cluster saves the share of its
    loss that two means of its images, in its prototype's frame, save of their squares about one mean.

    Args:
        distances: Of every image from every cluster.
        carry: Brings images into a cluster's frame.
        tried: (dropped, split) of earlier jumps.
    """
    if len(distances) < 2:
        return None
    (best, second), (first, next_best) = distances.topk(2, dim=0, largest=False)
    costs = torch.zeros(len(distances), device=distances.device).index_add_(0, first, second - best)
    members = [torch.nonzero(first == cluster)[:, 0] for cluster in range(len(distances))]
    at_home = [carry(cluster, rows) for cluster, rows in enumerate(members)]  # once: carrying is what costs
    found = None
    for dropped in costs.argsort(stable=True)[:DROPPED].tolist():
        remaining = torch.where(first == dropped, second, best)
        for split in range(len(distances)):
            joining = torch.nonzero((first == dropped) & (next_best == split))[:, 0]
            rows, order = torch.cat([members[split], joining]).sort()
            if split == dropped or (dropped, split) in tried or len(rows) < SMALLEST:
                continue
            carried = torch.cat([at_home[split], carry(split, joining)])[order]
            share, halves = two_means(carried.flatten(1))
            gain = share * float(remaining[rows].sum()) - float(costs[dropped])
            if found is None or gain > found.gain:
                found = Move(dropped, split, gain, halves.unflatten(1, carried.shape[1:]))
    return found


def two_means(
    points: Float[torch.Tensor, "n features"],
) -> tuple[float, Float[torch.Tensor, "2 features"]]:
    """Two means of some points, begun on both sides of their mean along the principal direction, without chance.

    Returns:
        What share of the squares about one mean they save, and the means; no share where the points do not part.
    """
    middle = points.mean(dim=0)
    centred = points - middle
    direction = centred[centred.square().sum(dim=1).argmax()]
    for _ in range(TURNS):
        direction = torch.nn.functional.normalize(centred.T @ (centred @ direction), dim=0)
    second, means = centred @ direction > 0, torch.stack([middle, middle])
    squares = torch.cdist(points, means).square()
    for _ in range(TURNS):
        if bool(second.all()) or not bool(second.any()):
            return 0.0, torch.stack([middle, middle])
        means = torch.stack([points[~second].mean(dim=0), points[second].mean(dim=0)])
        squares = torch.cdist(points, means).square()
        second = squares[:, 1] < squares[:, 0]
    whole = float(centred.square().sum())
    return 1.0 - float(squares.min(dim=1).values.sum()) / whole, means
