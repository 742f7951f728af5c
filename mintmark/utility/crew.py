"""Many classifiers trained over joblib, in any back end; the result does not depend on how many workers there are.

On the CPU small convolutional networks train faster one by one than stacked, so each worker takes one fit at a time.
Knows nothing of what the fits are for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from mintmark.classify.kinds import CNN, Kind, train_kind
from mintmark.classify.model import logits
from mintmark.classify.networks import Classifier
from mintmark.classify.training import Synthetic
from mintmark.data.images import ImageSet, to_unit
from mintmark.devices import fix_order
from mintmark.fan_out import fan_out
from mintmark.progress import track
from mintmark.utility.arms import Fit


@dataclass(frozen=True, kw_only=True, slots=True)
class Crew:
    """Who trains.

    Attributes:
        workers: Processes at work at a time.
        threads: CPU threads of each; with another number the last bits may differ.
        device: Where each trains.
        deterministic: Whether a GPU must give the same bytes twice; a CPU does anyway.
        kind: Which classifier it trains.
    """

    workers: int
    threads: int
    device: torch.device
    deterministic: bool
    kind: Kind = CNN


def train_all(fits: Sequence[Fit], *, crew: Crew, label: str) -> list[Classifier]:
    """The trained networks in the order of the fits, on the CPU and in eval mode.

    Args:
        fits: What to train.
        crew: Who trains it.
        label: What a person sees as the name of this round.
    """
    trained = fan_out((partial(_train, fit, crew) for fit in fits), workers=crew.workers)
    return list(track(trained, label, total=len(fits)))


def probabilities(network: Classifier, images: ImageSet) -> Float[np.ndarray, "n classes"]:
    """What a network believes of each image: the probability of each class."""
    return logits(network, to_unit(images.images)).softmax(dim=1).numpy()


def _train(fit: Fit, crew: Crew) -> Classifier:
    torch.set_num_threads(crew.threads)
    threadpool_limits(crew.threads, user_api="openmp")  # scikit-learn's trees
    if crew.deterministic:
        fix_order(crew.device)
    synthetic = None
    if fit.addition is not None:
        labels = torch.from_numpy(fit.addition.labels.copy())
        synthetic = Synthetic(images=to_unit(fit.addition.images), labels=labels, share=fit.addition.share)
    network = train_kind(
        crew.kind,
        to_unit(fit.images),
        torch.from_numpy(fit.codes.copy()),
        num_classes=fit.num_classes,
        recipe=fit.recipe,
        seed=fit.seed,
        synthetic=synthetic,
        device=crew.device,
    )
    return network.cpu()
