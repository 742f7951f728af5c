"""A downstream classifier that teaches itself: its weight average labels weakly bent images, it learns bent ones.

FixMatch (Sohn et al. 2020) with the average as the one that labels (Tarvainen and Valpola 2017) and labels aligned to
equal shares of the classes (Berthelot et al. 2020). There is no GAN. Where there are beliefs from elsewhere, such as
the neighbours in a graph, its own are multiplied by them: a product of experts (Hinton 2002, equation 1), so that it
learns no label that they rule out, unless it is surer than they are. One small record a step; knows nothing of files or
logging. Randomness comes from the seed and lives in the state.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch.nn import functional
from torch.nn.utils import get_total_norm

from mintmark.classify.augmentation import PLAIN, Augmentation, bend
from mintmark.classify.networks import SmallCNN
from mintmark.devices import PrecisionName, pick_precision
from mintmark.errors import BadInput
from mintmark.gan.batches import BalancedSampler
from mintmark.semi_supervised.losses import aligned, pseudo_label

WARM_UP = 100  # steps over which the learning rate rises
EMA_WARM_UP = 10  # the average trusts the present by 9/10 at first, and reaches `ema_decay` as steps go by
LEAST_BELIEF = 1e-3  # of a class beforehand: nothing is ruled out for good
MARGINAL_DECAY = 0.99  # of the running shares of the classes: the last hundred batches
Images = Float[torch.Tensor, "n channels height width"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfTeaching:
    """The whole recipe of one training.

    Attributes:
        steps: Gradient steps.
        labelled_batch_size, batch_size: Labelled images a step; images without their labels a step.
        learning_rate: Peak of AdamW's, reached after `WARM_UP` steps; then cos(7 pi k / 16 K) (Sohn et al. 2020).
        weight_decay: AdamW's, on every parameter.
        width: Channels of the network's first layer.
        confidence: The least probability of its likeliest class at which an unlabelled image is learnt, 0 to 1.
        ema_decay: Decay a step of the average of weights and batch statistics, which labels and is kept.
        weak: How images are bent for the average that labels them; mixup takes no part in either.
        strong: How labelled and unlabelled images are bent for the network that learns.
        precision: "float32", "bfloat16" for autocast, or "auto" for the faster of the two.
    """

    steps: int
    labelled_batch_size: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    width: int
    confidence: float = 0.95
    ema_decay: float
    weak: Augmentation = PLAIN
    strong: Augmentation
    precision: PrecisionName

    def __post_init__(self) -> None:
        for key in ("steps", "labelled_batch_size", "batch_size", "width"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, got {getattr(self, key)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence must lie in [0, 1], got {self.confidence}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), got {self.ema_decay}")


@dataclass(kw_only=True, slots=True)
class State:
    """Everything that the next step depends on, beside the data and the recipe.

    Attributes:
        average: The moving average of weights and batch statistics, in eval mode; this is the network to keep.
        marginal: The running mean of the beliefs before they are aligned; sums to 1.
        rng: A CPU generator, the only source of randomness.
        step: How many steps were taken.
    """

    network: SmallCNN
    average: SmallCNN
    optimizer: torch.optim.AdamW
    marginal: Float[torch.Tensor, " classes"]
    rng: torch.Generator
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step saw.

    Attributes:
        number: 1 after the first step.
        supervised_loss: Cross-entropy on the labelled images.
        taught_loss: Cross-entropy on the unlabelled images with the average's confident labels.
        state: The live state after the step, not a copy.
    """

    number: int
    supervised_loss: float
    taught_loss: float
    state: State


def teach_itself(
    images: Images,
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    recipe: SelfTeaching,
    seed: int,
    beforehand: Float[torch.Tensor, "n classes"] | None = None,
) -> Iterator[Step]:
    """Take the steps of the recipe.

    Args:
        images: Pixels in [-1, 1], on the device that trains.
        codes: Their classes, 0 to `num_classes` - 1, or -1 for an unlabelled image. Labelled images are also drawn
            among those without their labels.
        num_classes: How many classes there are; each has a labelled image. Their shares are taken to be equal.
        recipe: The recipe.
        seed: Of everything drawn here.
        beforehand: Probabilities of the classes for every image, from elsewhere; None where there are none.

    Raises:
        BadInput: no image carries a label, or what is believed beforehand are not probabilities.
        ValueError: a class has no labelled image, or a code lies outside the classes.
        FloatingPointError: a loss or a gradient is not finite; no step was taken with it.
    """
    labelled = codes >= 0
    if not bool(labelled.any()):
        raise BadInput("training records: expected at least one with a label, got none")
    prior = _prior(beforehand, len(images), num_classes).to(images.device)
    sampler = BalancedSampler(images[labelled], codes[labelled].cpu(), num_classes)
    _, channels, height, width = images.shape
    state = _initial_state((height, width, channels), num_classes, recipe, seed, images.device)
    while state.step < recipe.steps:
        yield _step(state, sampler, images, prior, recipe)


def _prior(
    beforehand: Float[torch.Tensor, "n classes"] | None, num: int, num_classes: int
) -> Float[torch.Tensor, "n classes"]:
    """The logarithms of what is believed beforehand, aligned to equal shares; 0 where nothing is."""
    if beforehand is None:
        return torch.zeros((num, num_classes))
    sums = beforehand.sum(dim=1)
    right = beforehand.shape == (num, num_classes) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
    if not right or bool((beforehand < 0).any()):
        raise BadInput("beforehand: expected a probability of each class for every image, got others")
    return aligned(beforehand, beforehand.mean(dim=0)).clamp(min=LEAST_BELIEF).log()


def _initial_state(
    shape: tuple[int, int, int], num_classes: int, recipe: SelfTeaching, seed: int, device: torch.device
) -> State:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = SmallCNN(shape, num_classes, recipe.width)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return State(
        network=network.train(),
        average=copy.deepcopy(network).requires_grad_(requires_grad=False).eval(),
        optimizer=torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        ),
        marginal=torch.full((num_classes,), 1 / num_classes, device=device),
        rng=torch.Generator().manual_seed(seed),
        step=0,
    )


def _step(
    state: State,
    sampler: BalancedSampler,
    images: Images,
    prior: Float[torch.Tensor, "n classes"],
    recipe: SelfTeaching,
) -> Step:
    for group in state.optimizer.param_groups:
        group["lr"] = recipe.learning_rate * _schedule(state.step, recipe.steps)
    labelled = sampler.draw(recipe.labelled_batch_size, rng=state.rng)
    rows = torch.randint(len(images), (recipe.batch_size,), generator=state.rng).to(images.device)
    plain = images[rows]
    beliefs = _believed(state, bend(plain, recipe.weak, generator=state.rng), prior[rows], recipe)
    bent = [bend(part, recipe.strong, generator=state.rng) for part in (labelled.images, plain)]
    of_labelled, of_plain = _logits(state.network, torch.cat(bent), recipe).split([len(part) for part in bent])
    supervised = functional.cross_entropy(of_labelled, labelled.codes)
    taught = pseudo_label(of_plain, beliefs, confidence=recipe.confidence)
    seen = _update(state, torch.stack([supervised, taught]))
    _update_average(state, recipe.ema_decay)
    return Step(number=state.step, supervised_loss=seen[0], taught_loss=seen[1], state=state)


@torch.no_grad()
def _believed(
    state: State, weak: Images, prior: Float[torch.Tensor, "n classes"], recipe: SelfTeaching
) -> Float[torch.Tensor, "n classes"]:
    """What the average and the prior believe of weakly bent images, aligned to equal shares, which move on."""
    beliefs = (_logits(state.average, weak, recipe).log_softmax(dim=1) + prior).softmax(dim=1)
    state.marginal = torch.lerp(beliefs.mean(dim=0), state.marginal, MARGINAL_DECAY)
    return aligned(beliefs, state.marginal)


def _logits(network: SmallCNN, images: Images, recipe: SelfTeaching) -> Float[torch.Tensor, "n classes"]:
    device, (height, width) = images.device, images.shape[-2:]
    precision = pick_precision(recipe.precision, device=device, height=height, width=width)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
        return network(images.contiguous(memory_format=torch.channels_last)).float()


def _update(state: State, losses: Float[torch.Tensor, "2"]) -> list[float]:
    """One step down the sum of the losses; returns them as numbers."""
    state.optimizer.zero_grad()
    losses.sum().backward()
    norm = get_total_norm([one.grad for one in state.network.parameters() if one.grad is not None])
    *values, length = torch.cat([losses.detach(), norm[None]]).tolist()  # one wait for the device
    if not all(math.isfinite(value) for value in (*values, length)):
        raise FloatingPointError(
            f"step {state.step + 1}: losses and gradient must be finite, got {values} and a norm of {length}"
        )
    state.optimizer.step()
    state.step += 1
    return values


def _schedule(step: int, steps: int) -> float:
    """The learning rate's share of its peak."""
    return min(1.0, (step + 1) / WARM_UP) * math.cos(7 * math.pi * step / (16 * steps))


@torch.no_grad()
def _update_average(state: State, ema_decay: float) -> None:
    """Move the average's weights and statistics towards the network's; early on, faster."""
    decay = min(ema_decay, state.step / (state.step + EMA_WARM_UP))
    for kept, new in zip(state.average.state_dict().values(), state.network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
