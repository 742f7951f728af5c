"""Labels that the other records contradict: what is believed of each record by those that were not taught with it.

Two ways to a belief. Networks answer for records that they never saw (`mintmark.classify.out_of_fold`, as in confident
learning, Northcutt et al. 2021); or each record's neighbours vote, itself left out. Either way a label is as doubtful
as another class is likelier than it, in logarithms: probabilities that saturate would tie the most doubtful ones. Knows
nothing of what is done with a doubtful label.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch.nn import functional

from mintmark.errors import BadInput
from mintmark.neighbours import nearest

PRIOR = 0.1  # votes that every class has before a neighbour gives its own


def doubts(beliefs: Float[torch.Tensor, "n classes"], codes: Int64[torch.Tensor, " n"]) -> Float[torch.Tensor, " n"]:
    """How much likelier the likeliest other class is than the given one, in logarithms; above 0 it is likelier.

    Args:
        beliefs: Logarithms of the probability of each class, or logits.
        codes: The given classes.

    Raises:
        BadInput: there is no other class.
    """
    if beliefs.shape[1] < 2:
        raise BadInput(f"classes: expected at least two, to doubt a label, got {beliefs.shape[1]}")
    others = beliefs.scatter(1, codes[:, None], -torch.inf)
    return others.max(dim=1).values - beliefs.gather(1, codes[:, None])[:, 0]


def voted(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    num_neighbours: int,
) -> Float[torch.Tensor, "n classes"]:
    """Log probabilities of the classes of every record, by the votes of its nearest neighbours in pixels.

    A vote weighs one over its distance, relative to the nearest's. A copy with another label is the heaviest witness.

    Raises:
        BadInput: there are no more records than neighbours.
    """
    if not 1 <= num_neighbours < len(codes):
        raise BadInput(f"num_neighbours: expected 1 to {len(codes) - 1}, fewer than the records, got {num_neighbours}")
    flat = images.flatten(1)
    found = nearest(flat, flat, k=num_neighbours, same_set=True)
    distances = found.distances.clamp_min(torch.finfo(flat.dtype).eps)
    weights = distances[:, :1] / distances
    votes = (functional.one_hot(codes[found.indices], num_classes) * weights[:, :, None]).sum(dim=1) + PRIOR
    return (votes / votes.sum(dim=1, keepdim=True)).log()


def plant(
    codes: Int64[np.ndarray, " n"], *, num_classes: int, share: float, rng: np.random.Generator
) -> tuple[Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The codes with a share of them, at least one, changed to another class at random, and which were.

    Raises:
        BadInput: there are no two classes, no record, or the share is out of range.
    """
    if num_classes < 2:
        raise BadInput(f"classes: expected at least two, to plant a wrong label, got {num_classes}")
    planted = chosen(len(codes), share=share, rng=rng)
    moved = codes + rng.integers(1, num_classes, len(codes))
    return np.where(planted, moved % num_classes, codes), planted


def chosen(num: int, *, share: float, rng: np.random.Generator, least: int = 1) -> Bool[np.ndarray, " n"]:
    """A random share of some records, at least so many and not all.

    Raises:
        BadInput: there are no more than the least, or the share is out of range.
    """
    if num <= least:
        raise BadInput(f"records: expected at least {least + 1}, got {num}")
    if not 0 < share < 1:
        raise BadInput(f"share: expected above 0 and below 1, got {share}")
    number = min(max(least, round(share * num)), num - 1)
    return rng.permutation(num) < number
