"""Labels that the other records contradict: what is believed of each record by those that were not taught with it.

Two ways to a belief. Networks, each taught on all folds but one, answer for the fold that they never saw (out of fold,
as in confident learning, Northcutt et al. 2021); or each record's neighbours vote, itself left out. Either way a label
is as doubtful as another class is likelier than it, in logarithms: probabilities that saturate would tie the most
doubtful ones. Knows nothing of what is done with a doubtful label.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch.nn import functional

from mintmark.anomaly.trial import deal
from mintmark.classify.model import logits
from mintmark.classify.training import Recipe, train_classifier
from mintmark.errors import BadInput
from mintmark.fan_out import fan_out
from mintmark.neighbours import nearest
from mintmark.progress import track

LEAST_FOLDS = 2
PRIOR = 0.1  # votes that every class has before a neighbour gives its own


@dataclass(frozen=True, kw_only=True, slots=True)
class Folds:
    """How networks are taught to answer for records that they did not see.

    Attributes:
        number: Parts of the records, each answered for by a network of its own.
        recipe: How each is taught.
        workers: Networks at a time; changes no result.
        threads: CPU threads of each.
    """

    number: int
    recipe: Recipe
    workers: int
    threads: int

    def __post_init__(self) -> None:
        if self.number < LEAST_FOLDS:
            raise ValueError(f"number must be at least {LEAST_FOLDS}, got {self.number}")
        for name in ("workers", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


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


def out_of_fold(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    folds: Folds,
    seed: int,
) -> Float[torch.Tensor, "n classes"]:
    """Log probabilities of the classes of every record, by a network that was taught without it.

    Args:
        images: Pixels in [-1, 1].
        codes: The given classes, 0 to `num_classes` - 1; each class is dealt evenly to the folds.
        num_classes: How many classes there are.
        folds: How the networks are taught.
        seed: Where the folds, the weights and the batches come from.

    Raises:
        BadInput: there are fewer records than folds, or a code is beyond the classes.
    """
    if len(codes) < folds.number:
        raise BadInput(f"records: expected at least {folds.number}, one a fold, got {len(codes)}")
    rng = np.random.default_rng(seed)
    fold = torch.from_numpy(deal(codes.numpy(), num_parts=folds.number, rng=rng))
    jobs = [
        partial(_answers, images, codes, fold == part, num_classes=num_classes, folds=folds, seed=int(own))
        for part, own in enumerate(rng.integers(0, 2**62, folds.number))
    ]
    beliefs = images.new_zeros(len(codes), num_classes)
    answers = track(fan_out(jobs, workers=folds.workers), "out-of-fold", total=len(jobs))
    for part, answer in enumerate(answers):
        beliefs[fold == part] = answer
    return beliefs


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


def _answers(
    images: torch.Tensor,
    codes: torch.Tensor,
    held_out: torch.Tensor,
    *,
    num_classes: int,
    folds: Folds,
    seed: int,
) -> torch.Tensor:
    """What a network taught on all others believes of the records held out."""
    torch.set_num_threads(folds.threads)
    network = train_classifier(
        images[~held_out], codes[~held_out], num_classes=num_classes, recipe=folds.recipe, seed=seed
    )
    return logits(network, images[held_out]).log_softmax(dim=1)
