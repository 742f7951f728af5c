"""Training of many classifiers of one form together: their weights lie in one tensor, and a step is taken by all at once.

The same draws, first weights and steps as `mintmark.classify.training`, one seed a classifier, so each comes out as it
would alone, up to the rounding of sums. It pays where a step of one is too small to fill the machine, as a perceptron's
is; convolutions on a CPU gain little or nothing. `mintmark.shadow.pace` measures. After `torch.func`'s ensembling.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional
from torch.nn.utils import get_total_norm

from mintmark.classify.networks import Classifier, SmallCNN
from mintmark.classify.training import Recipe, first_network, one_cycle, streams, training_batches


class Lesson(NamedTuple):
    """What one of the classifiers learns: images in [-1, 1], their codes (-1 is left out), and its seed."""

    images: Float[torch.Tensor, "n channels height width"]
    codes: Int64[torch.Tensor, " n"]
    seed: int


def train_together(
    lessons: Sequence[Lesson],
    *,
    num_classes: int,
    recipe: Recipe,
    device: torch.device | str = "cpu",
    make: Callable[[], Classifier] | None = None,
) -> list[Classifier]:
    """Train one classifier a lesson, all together, and return them in eval mode, in the lessons' order.

    Args:
        lessons: One or more, of images of one shape.
        num_classes: How many classes there are, whether or not each occurs.
        recipe: How to train; the same for all.
        device: Where to train.
        make: As `train_classifier` takes it. The network may not use in-place operations that `torch.func` refuses.

    Raises:
        BadInput: a lesson has no record with a label, or a code is beyond the classes.
        FloatingPointError: a loss or a gradient of one of them is not finite; none took a step with it.
    """
    *_, networks = steps_together(lessons, num_classes=num_classes, recipe=recipe, device=device, make=make)
    return networks()


def steps_together(
    lessons: Sequence[Lesson],
    *,
    num_classes: int,
    recipe: Recipe,
    device: torch.device | str = "cpu",
    make: Callable[[], Classifier] | None = None,
) -> Iterator[Callable[[], list[Classifier]]]:
    """The loop behind `train_together`: after each step, what would hand the classifiers over as they now are."""
    channels, height, width = lessons[0].images.shape[1:]
    usual = partial(SmallCNN, (height, width, channels), num_classes, recipe.width)
    networks = [first_network(make or usual, streams(lesson.seed)["weights"]).to(device).train() for lesson in lessons]
    weights, buffers = stack_module_state(networks)
    optimiser = torch.optim.AdamW(
        weights.values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    differentiate = vmap(grad_and_value(partial(_loss, networks[0])))
    batches = [
        training_batches(
            lesson.images, lesson.codes, num_classes=num_classes, recipe=recipe, seed=lesson.seed, device=device
        )
        for lesson in lessons
    ]
    hand_over = partial(_filled, networks, weights, buffers)
    for number, drawn in enumerate(zip(*batches, strict=True), start=1):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * one_cycle(number / recipe.steps)
        images, labels = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        gradients, losses = differentiate(weights, buffers, images, labels)
        for name, gradient in gradients.items():
            weights[name].grad = gradient
        _refuse_non_finite(gradients, losses, number)
        optimiser.step()
        yield hand_over


def _loss(
    network: Classifier,
    weights: dict[str, torch.Tensor],
    buffers: dict[str, torch.Tensor],
    images: torch.Tensor,
    labels: torch.Tensor,
) -> torch.Tensor:
    """One classifier's loss on its batch; the network lends its form, and its buffers are written in place."""
    return functional.cross_entropy(functional_call(network, (weights, buffers), (images,)), labels)


def _refuse_non_finite(gradients: dict[str, torch.Tensor], losses: torch.Tensor, number: int) -> None:
    """Raise FloatingPointError where any step's loss or gradient is not finite."""
    norm = get_total_norm([*gradients.values()])
    total, length = torch.stack([losses.sum(), norm]).tolist()  # one wait for the device
    if not (math.isfinite(total) and math.isfinite(length)):
        raise FloatingPointError(
            f"step {number}: losses and gradients must be finite, got {total} and a norm of {length}"
        )


def _filled(
    networks: list[Classifier], weights: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor]
) -> list[Classifier]:
    """The networks with their own weights and buffers, in eval mode."""
    stacked = weights | buffers
    for place, network in enumerate(networks):
        network.load_state_dict({name: tensor[place].detach() for name, tensor in stacked.items()})
        network.eval()
    return networks
