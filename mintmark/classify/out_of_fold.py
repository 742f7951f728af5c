"""Answers out of fold: what is believed of each record by a network that was taught without it.

The records are dealt to folds, each class evenly. A network a fold is taught on all the others, and answers for its own
(as in confident learning, Northcutt et al. 2021). Knows nothing of what the answers are for.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.classify.strata import deal
from mintmark.classify.training import Recipe, train_classifier
from mintmark.errors import BadInput
from mintmark.fan_out import fan_out
from mintmark.progress import track

LEAST_FOLDS = 2


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


class Taught(NamedTuple):
    """The networks of all folds, and what they say of the records that each did not see.

    Attributes:
        beliefs: Log probabilities of the classes of every record, on the CPU.
        networks: One a fold, in eval mode, where the records lie.
    """

    beliefs: Float[torch.Tensor, "n classes"]
    networks: tuple[Classifier, ...]


def out_of_fold(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    folds: Folds,
    seed: int,
) -> Float[torch.Tensor, "n classes"]:
    """The beliefs of `teach`, with the same arguments and errors."""
    return teach(images, codes, num_classes=num_classes, folds=folds, seed=seed).beliefs


def teach(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    folds: Folds,
    seed: int,
) -> Taught:
    """Teach a network a fold on all other folds, and ask it about its own.

    Args:
        images: Pixels in [-1, 1], on the device to learn on.
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
    fold = torch.from_numpy(deal(codes.cpu().numpy(), num_parts=folds.number, rng=rng))
    jobs = [
        partial(_taught, images, codes, fold == part, num_classes=num_classes, folds=folds, seed=int(own))
        for part, own in enumerate(rng.integers(0, 2**62, folds.number))
    ]
    beliefs, networks = torch.zeros(len(codes), num_classes), []
    taught = track(fan_out(jobs, workers=folds.workers), "out-of-fold", total=len(jobs))
    for part, (network, answers) in enumerate(taught):
        beliefs[fold == part] = answers
        networks.append(network)
    return Taught(beliefs, tuple(networks))


def _taught(
    images: torch.Tensor,
    codes: torch.Tensor,
    held_out: torch.Tensor,
    *,
    num_classes: int,
    folds: Folds,
    seed: int,
) -> tuple[Classifier, torch.Tensor]:
    """A network taught on all others, and what it believes of the records held out."""
    held_out, before = held_out.to(images.device), torch.get_num_threads()
    torch.set_num_threads(folds.threads)
    network = train_classifier(
        images[~held_out],
        codes[~held_out],
        num_classes=num_classes,
        recipe=folds.recipe,
        seed=seed,
        device=images.device,
    )
    answers = logits(network, images[held_out]).log_softmax(dim=1)
    torch.set_num_threads(before)  # of whoever asked, where this is no process of its own
    return network, answers
