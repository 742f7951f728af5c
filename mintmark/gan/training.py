"""Adversarial training as a generator: one small record a step.

Knows nothing of files, logging or length: the caller decides how many steps to take, what to keep and when to
checkpoint. Randomness comes from the seed and lives in the state, so a run that goes on from a saved state ends where
an uninterrupted one does.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import nn

from mintmark.devices import PrecisionName, pick_precision
from mintmark.errors import BadInput
from mintmark.gan.augmentation import Augmentation, augment
from mintmark.gan.batches import BalancedSampler, Batch
from mintmark.gan.losses import LOSSES, LossName, class_energy_distance, gradient_penalty
from mintmark.gan.networks import Discriminator, Generator
from mintmark.gan.parallel import ALONE, Group

EMA_WARM_UP = 10  # the average trusts the present by 9/10 at first, and reaches `ema_decay` as steps go by


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The whole recipe of one training.

    Attributes:
        loss: "relativistic" or "non-saturating".
        latent_size: Length of the generator's noise vector.
        generator_width, discriminator_width: Channels at full resolution; they double at each halving, at most thrice.
        batch_size: Real images a step, and as many fake ones.
        generator_learning_rate, discriminator_learning_rate: Adam's step size.
        beta1, beta2: Adam's decay rates.
        penalty_weight: Gamma of gamma / 2 (R1 + R2).
        penalty_interval: The penalty is taken every so many steps, and weighs as much more.
        diversity_weight: Weight of the energy distance within classes in the generator's loss; 0 leaves it out.
        augmentation: What the discriminator sees, real or fake.
        ema_decay: Decay a step of the average of the generator's weights that is kept.
        precision: "float32", "bfloat16" for autocast, or "auto" for the faster of the two.
    """

    loss: LossName
    latent_size: int
    generator_width: int
    discriminator_width: int
    batch_size: int
    generator_learning_rate: float
    discriminator_learning_rate: float
    beta1: float
    beta2: float
    penalty_weight: float
    penalty_interval: int
    diversity_weight: float
    augmentation: Augmentation
    ema_decay: float
    precision: PrecisionName

    def __post_init__(self) -> None:
        for key in ("latent_size", "generator_width", "discriminator_width", "batch_size", "penalty_interval"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, got {getattr(self, key)}")
        for key in ("generator_learning_rate", "discriminator_learning_rate"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key} must be above 0, got {getattr(self, key)}")
        for key in ("beta1", "beta2", "ema_decay"):
            if not 0 <= getattr(self, key) < 1:
                raise ValueError(f"{key} must lie in [0, 1), got {getattr(self, key)}")
        for key in ("penalty_weight", "diversity_weight"):
            if getattr(self, key) < 0:
                raise ValueError(f"{key} must not be negative, got {getattr(self, key)}")


@dataclass(kw_only=True, slots=True)
class State:
    """Everything that the next step depends on, beside the data and the config.

    Attributes:
        average: The exponential moving average of the generator's weights; this is the network to keep.
        rng: A CPU generator, the only source of randomness.
        step: How many steps were taken.
        penalty: R1 + R2 when last taken, not weighted; 0 before.
    """

    generator: Generator
    discriminator: Discriminator
    average: Generator
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    rng: torch.Generator
    step: int
    penalty: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step saw.

    Attributes:
        number: 1 after the first step.
        generator_loss, discriminator_loss: The adversarial losses, without the penalty.
        real_logit, fake_logit: Mean output of the discriminator on the step's augmented images.
        penalty: R1 + R2 when last taken; not weighted.
        state: The live state after the step, not a copy.
    """

    number: int
    generator_loss: float
    discriminator_loss: float
    real_logit: float
    fake_logit: float
    penalty: float
    state: State


def initial_state(
    shape: tuple[int, int, int], *, num_classes: int, config: Config, seed: int, device: torch.device
) -> State:
    """Fresh networks and optimisers, the same on every device, drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator(
            shape=shape, num_classes=num_classes, latent_size=config.latent_size, width=config.generator_width
        )
        discriminator = Discriminator(shape=shape, num_classes=num_classes, width=config.discriminator_width)
    precision = pick_precision(config.precision, device=device, height=shape[0], width=shape[1])
    layout = _memory_format(device, precision)
    generator = generator.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    discriminator = discriminator.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    return State(
        generator=generator,
        discriminator=discriminator,
        average=copy.deepcopy(generator).eval().requires_grad_(False),
        generator_optimizer=_adam(generator, config.generator_learning_rate, config),
        discriminator_optimizer=_adam(discriminator, config.discriminator_learning_rate, config),
        rng=torch.Generator().manual_seed(seed),
        step=0,
        penalty=0.0,
    )


def train(
    images: Float[torch.Tensor, "n channels height width"],
    codes: Int64[torch.Tensor, " n"],
    *,
    config: Config,
    seed: int,
    num_classes: int | None = None,
    state: State | None = None,
    group: Group = ALONE,
) -> Iterator[Step]:
    """Train without end on labelled images, one discriminator and one generator update a step.

    Args:
        images: Pixels in [-1, 1], on the device that trains.
        codes: Their classes; every class has a record.
        config: The recipe.
        seed: Where weights and draws come from; without effect where `state` is given.
        num_classes: How many classes there are; None for as many as `codes` holds.
        state: Where to go on from; None to start afresh.
        group: The processes that take each step together, all with the same arguments but for the device.

    Raises:
        BadInput: the batch cannot be shared out equally.
        ValueError: a class has no record, or a code lies outside the classes.
        FloatingPointError: a loss or gradient is not finite; the weights are those from before that update.
    """
    if config.batch_size % group.size:
        raise BadInput(f"batch_size must be a multiple of the {group.size} processes, got {config.batch_size}")
    num_classes = int(codes.max()) + 1 if num_classes is None else num_classes
    layout = _memory_format(images.device, _precision(config, images))
    sampler = BalancedSampler(images.to(memory_format=layout), codes, num_classes)
    if state is None:
        _, channels, height, width = images.shape
        state = initial_state(
            (height, width, channels), num_classes=num_classes, config=config, seed=seed, device=images.device
        )
    while True:
        yield _step(state, sampler, config, group)


def _step(state: State, sampler: BalancedSampler, config: Config, group: Group) -> Step:
    batch = sampler.draw(config.batch_size, rng=state.rng, group=group)
    everything = torch.randn((config.batch_size, config.latent_size), generator=state.rng)
    latents = group.mine(everything).to(batch.images.device)
    with _autocast(config, batch.images):
        fake = state.generator(latents, batch.codes).float()
    penalised = config.penalty_weight > 0 and state.step % config.penalty_interval == 0
    discriminator_loss, real_logit, fake_logit, penalty = _update_discriminator(
        state, batch, fake.detach(), config, group, penalised=penalised
    )
    generator_loss = _update_generator(state, batch, fake, config, group)
    state.step += 1
    _update_average(state, config.ema_decay)
    state.penalty = penalty if penalised else state.penalty
    return Step(
        number=state.step,
        generator_loss=generator_loss,
        discriminator_loss=discriminator_loss,
        real_logit=real_logit,
        fake_logit=fake_logit,
        penalty=state.penalty,
        state=state,
    )


def _update_discriminator(
    state: State, batch: Batch, fake: torch.Tensor, config: Config, group: Group, *, penalised: bool
) -> list[float]:
    """One update; returns the loss, the mean real logit, the mean fake logit and the penalty."""
    images = augment(torch.cat([batch.images, fake]), config.augmentation, rng=state.rng, group=group)
    images.requires_grad_(penalised)
    with _autocast(config, images):
        logits = state.discriminator(images, batch.codes.repeat(2)).float()
    real, fake_logits = logits.chunk(2)
    loss = LOSSES[config.loss].discriminator(real, fake_logits)
    # a mean over real and fake together is (R1 + R2) / 2
    penalty = 2 * gradient_penalty(logits, images) if penalised else torch.zeros_like(loss)
    total = loss + config.penalty_weight / 2 * config.penalty_interval * penalty
    seen = torch.stack([loss, real.mean(), fake_logits.mean(), penalty]).detach()
    name = f"step {state.step + 1}: discriminator"
    return _apply(total, seen, state.discriminator, state.discriminator_optimizer, group, name=name)


def _update_generator(state: State, batch: Batch, fake: torch.Tensor, config: Config, group: Group) -> float:
    """One update through the updated discriminator; returns the loss."""
    images = augment(torch.cat([batch.images, fake]), config.augmentation, rng=state.rng, group=group)
    state.discriminator.requires_grad_(False)
    with _autocast(config, images):
        features = state.discriminator.features(images)
        logits = state.discriminator.judge(features, batch.codes.repeat(2))
    state.discriminator.requires_grad_(True)
    real, fake_logits = logits.float().chunk(2)
    loss = LOSSES[config.loss].generator(real.detach(), fake_logits)
    total = loss
    if config.diversity_weight > 0:
        real_features, fake_features = features.float().chunk(2)
        # the one loss that couples records, so every process sees them all
        total = loss + config.diversity_weight * class_energy_distance(
            group.gather(real_features.detach()), group.gather(fake_features), group.gather(batch.codes)
        )
    name = f"step {state.step + 1}: generator"
    (seen,) = _apply(total, loss.detach()[None], state.generator, state.generator_optimizer, group, name=name)
    return seen


def _apply(
    loss: torch.Tensor,
    seen: torch.Tensor,
    network: nn.Module,
    optimizer: torch.optim.Adam,
    group: Group,
    *,
    name: str,
) -> list[float]:
    """Update the network, unless the loss or its gradient is not finite; returns what was seen as numbers."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    seen = torch.cat([seen, loss.detach()[None]])
    group.average([*gradients, seen])  # so that all see the same and all stop together
    norm = torch.nn.utils.get_total_norm(gradients)
    *values, total, length = torch.cat([seen, norm[None]]).tolist()  # one wait for the device
    if not (math.isfinite(total) and math.isfinite(length)):
        raise FloatingPointError(f"{name} loss must be finite with a finite gradient, got {total} and {length}")
    optimizer.step()
    return values


@torch.no_grad()
def _update_average(state: State, ema_decay: float) -> None:
    """Move the average towards the generator; early on, faster, so that the start is soon forgotten."""
    decay = min(ema_decay, state.step / (state.step + EMA_WARM_UP))
    for kept, new in zip(state.average.parameters(), state.generator.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def _adam(network: nn.Module, learning_rate: float, config: Config) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(config.beta1, config.beta2))


def _memory_format(device: torch.device, precision: torch.dtype) -> torch.memory_format:
    """Channels last where bf16 convolutions or a GPU want it."""
    last = device.type == "cuda" or precision == torch.bfloat16
    return torch.channels_last if last else torch.contiguous_format


def _autocast(config: Config, images: torch.Tensor) -> torch.autocast:
    precision = _precision(config, images)
    return torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


def _precision(config: Config, images: torch.Tensor) -> torch.dtype:
    height, width = images.shape[-2:]
    return pick_precision(config.precision, device=images.device, height=height, width=width)
