"""Differentially private training of one classifier on real records. Knows nothing of arms, validation or test.

Every step takes each record by a coin of its own, cuts its gradient and adds noise to the sum (Abadi et al. 2016). The
network normalises within each record, since a mean over a batch would tell of the others in it. No classes are balanced
and nothing is augmented; of the records, nothing but the private gradients is looked at.
"""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int64
from torch.nn import functional

from mintmark.classify.networks import Classifier, RecordwiseCNN
from mintmark.classify.training import first_network, one_cycle, refuse_non_finite, streams
from mintmark.differential.accountant import Budget, Spending, spending
from mintmark.differential.gradients import noise_of, poisson_rows, set_private_gradients
from mintmark.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateRecipe:
    """How a private classifier is trained.

    Attributes:
        budget: What it may spend.
        steps: Gradient steps.
        batch_size: Records a step, on average.
        learning_rate: Peak of the one-cycle schedule, for Adam.
        width: Channels of the network's first layer; a multiple of `mintmark.classify.networks.GROUPS`.
    """

    budget: Budget
    steps: int
    batch_size: int
    learning_rate: float
    width: int

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % RecordwiseCNN.GROUPS:
            raise ValueError(f"width must be a multiple of {RecordwiseCNN.GROUPS}, got {self.width}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")

    def spending(self, *, num_records: int) -> Spending:
        """What a training on so many labelled records spends.

        Raises:
            BadInput: delta is too large for so few records, or no noise is enough.
        """
        try:
            return spending(self.budget, num_records=num_records, batch_size=self.batch_size, steps=self.steps)
        except ValueError as error:
            raise BadInput(f"evaluate.{error}") from error


def train_private_classifier(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    recipe: PrivateRecipe,
    spent: Spending,
    seed: int,
    device: torch.device | str = "cpu",
) -> Classifier:
    """Train a private classifier and return it in eval mode.

    Args:
        images: Real images, pixels in [-1, 1].
        codes: Their classes, 0 to `num_classes` - 1; none is unlabelled.
        num_classes: How many classes there are, whether or not each occurs.
        recipe: How to train.
        spent: The mechanism, for the number of these images.
        seed: Of everything drawn here.
        device: Where to train.

    Raises:
        BadInput: there is no record, or a code is beyond the classes.
        FloatingPointError: a gradient is not finite; no step was taken with it.
    """
    if not len(codes) or int(codes.min()) < 0 or int(codes.max()) >= num_classes:
        raise BadInput(f"label codes: expected records of 0 to {num_classes - 1}, got {sorted(set(codes.tolist()))}")
    channels, height, width = images.shape[1:]
    generators = streams(seed)
    network = first_network(
        lambda: RecordwiseCNN((height, width, channels), num_classes, recipe.width), generators["weights"]
    )
    network.to(device).train()
    images, codes = images.to(device), codes.to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    noise = noise_of(spent, num_records=len(images))
    for number in range(1, spent.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * one_cycle(number / spent.steps)
        rows = poisson_rows(len(images), sample_rate=spent.sample_rate, rng=generators["real"]).to(images.device)
        losses = set_private_gradients(
            network,
            partial(_losses, network, images[rows], codes[rows]),
            num_records=len(rows),
            noise=noise,
            rng=generators["real"],
        )
        refuse_non_finite(network, float(losses.sum()), number)
        optimiser.step()
    return network.eval()


def _losses(network: Classifier, images: torch.Tensor, codes: torch.Tensor) -> Float[torch.Tensor, " n"]:
    return functional.cross_entropy(network(images), codes, reduction="none")
