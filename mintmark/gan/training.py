"""Adversarial training as a generator: one small record a step.

Knows nothing of files, logging or length: the caller decides how many steps to take, what to keep and when to
checkpoint. Randomness comes from the seed and lives in the state, so a run that goes on from a saved state ends where
an uninterrupted one does.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import nn
from torch.nn import functional

from mintmark.devices import pick_precision
from mintmark.errors import BadInput
from mintmark.gan.augmentation import augment
from mintmark.gan.batches import BalancedSampler, Batch, Pixels
from mintmark.gan.config import Config
from mintmark.gan.losses import LOSSES, class_energy_distance, twin_generator
from mintmark.gan.networks import View
from mintmark.gan.parallel import ALONE, Group
from mintmark.gan.penalties import taken
from mintmark.gan.state import State, initial_state, memory_format

EMA_WARM_UP = 10  # the average trusts the present by 9/10 at first, and reaches `ema_decay` as steps go by


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step saw.

    Attributes:
        number: 1 after the first step.
        generator_loss, discriminator_loss: The adversarial losses, without the penalty.
        real_logit, fake_logit: Mean output of the discriminator on the step's augmented images.
        penalty: The penalties when last taken; not weighted.
        probability: With which each augmentation was applied.
        state: The live state after the step, not a copy.
    """

    number: int
    generator_loss: float
    discriminator_loss: float
    real_logit: float
    fake_logit: float
    penalty: float
    probability: float
    state: State


def train(
    images: Pixels,
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
        images: Pixels in [-1, 1], or bytes from 0 to 255, on the device that trains.
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
    layout = memory_format(images.device, _precision(config, images))
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
    probability = 1.0 if config.adaptive is None else state.probability
    with _autocast(config, batch.images):
        fake = state.generator(latents, batch.codes).float()
    discriminator_loss, real_logit, fake_logit, sign, penalty = _update_discriminator(
        state, batch, fake.detach(), config, group
    )
    generator_loss = _update_generator(state, batch, fake, config, group)
    state.penalty = penalty if _penalised(state, config) else state.penalty
    state.step += 1
    update_average(state, config.ema_decay)
    _adapt(state, sign, config)
    return Step(
        number=state.step,
        generator_loss=generator_loss,
        discriminator_loss=discriminator_loss,
        real_logit=real_logit,
        fake_logit=fake_logit,
        penalty=state.penalty,
        probability=probability,
        state=state,
    )


def _penalised(state: State, config: Config) -> bool:
    weights = (config.r1_weight, config.r2_weight, config.lipschitz_weight)
    return max(weights) > 0 and state.step % config.penalty_interval == 0


def _update_discriminator(state: State, batch: Batch, fake: torch.Tensor, config: Config, group: Group) -> list[float]:
    """One update; returns the loss, the mean real logit, fake logit and sign of the real logit, and the penalty."""
    penalised = _penalised(state, config)
    images = _augmented(batch, fake, state, config, group).requires_grad_(penalised)
    view = _view(state, images, batch.codes.repeat(2), config)
    real, fake_logits = view.logits.chunk(2)
    loss = LOSSES[config.loss].discriminator(real, fake_logits)
    total, penalty = loss, torch.zeros_like(loss)
    if view.class_logits is not None and view.twin_logits is not None:
        of_real, of_fake = view.class_logits.chunk(2)[0], view.twin_logits.chunk(2)[1]
        total = total + config.classifier_weight * (
            functional.cross_entropy(of_real, batch.codes) + functional.cross_entropy(of_fake, batch.codes)
        )
    if penalised:
        weighted, penalty = taken(
            view.logits,
            images,
            lambda points: _view(state, points, batch.codes, config).logits,
            config=config,
            rng=state.rng,
            group=group,
        )
        total = total + config.penalty_interval * weighted
    seen = torch.stack([loss, real.mean(), fake_logits.mean(), real.sign().mean(), penalty]).detach()
    name = f"step {state.step + 1}: discriminator"
    return _apply(total, seen, state.discriminator, state.discriminator_optimizer, group, name=name)


def _update_generator(state: State, batch: Batch, fake: torch.Tensor, config: Config, group: Group) -> float:
    """One update through the updated discriminator; returns the loss."""
    images = _augmented(batch, fake, state, config, group)
    state.discriminator.requires_grad_(False)
    view = _view(state, images, batch.codes.repeat(2), config)
    state.discriminator.requires_grad_(True)
    real, fake_logits = view.logits.chunk(2)
    loss = LOSSES[config.loss].generator(real.detach(), fake_logits)
    total = loss
    if view.class_logits is not None and view.twin_logits is not None:
        of_class, of_twin = view.class_logits.chunk(2)[1], view.twin_logits.chunk(2)[1]
        total = total + config.classifier_weight * twin_generator(of_class, of_twin, batch.codes)
    if config.diversity_weight > 0:
        real_features, fake_features = view.features.chunk(2)
        # the one loss that couples records, so every process sees them all
        total = total + config.diversity_weight * class_energy_distance(
            group.gather(real_features.detach()), group.gather(fake_features), group.gather(batch.codes)
        )
    name = f"step {state.step + 1}: generator"
    (seen,) = _apply(total, loss.detach()[None], state.generator, state.generator_optimizer, group, name=name)
    return seen


def _augmented(batch: Batch, fake: torch.Tensor, state: State, config: Config, group: Group) -> torch.Tensor:
    """What the discriminator sees: real images, then fake ones."""
    probability = None if config.adaptive is None else state.probability
    images = torch.cat([batch.images, fake])
    return augment(images, config.augmentation, probability=probability, rng=state.rng, group=group)


def _view(state: State, images: torch.Tensor, codes: torch.Tensor, config: Config) -> View:
    """The discriminator's, in single precision."""
    with _autocast(config, images):
        view = state.discriminator.view(images, codes)
    return View(*(one.float() for one in view if one is not None))


def _adapt(state: State, sign: float, config: Config) -> None:
    """Move the augmentation's probability towards its target, every so many steps."""
    if config.adaptive is None:
        return
    state.signs += sign
    if state.step % config.adaptive.interval == 0:
        overfits = state.signs / config.adaptive.interval > config.adaptive.target
        change = config.adaptive.interval * config.batch_size / config.adaptive.ramp
        state.probability = min(1.0, max(0.0, state.probability + (change if overfits else -change)))
        state.signs = 0.0


def _apply(
    loss: torch.Tensor,
    seen: torch.Tensor,
    network: nn.Module,
    optimizer: torch.optim.Adam,
    group: Group,
    *,
    name: str,
) -> list[float]:
    """Update the network by the gradient of a loss; see `apply_gradients`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    return apply_gradients(loss, seen, network, optimizer, group, name=name)


def apply_gradients(
    loss: torch.Tensor,
    seen: torch.Tensor,
    network: nn.Module,
    optimizer: torch.optim.Adam,
    group: Group = ALONE,
    *,
    name: str,
) -> list[float]:
    """Update the network by the gradients that it holds, unless they or the loss are not finite.

    Args:
        loss: Of this process.
        seen: What else to report of the step.
        network: Whose gradients are set.
        optimizer: The network's own.
        group: The processes over which gradients are averaged.
        name: Of the step and the network, for the error.

    Returns:
        What was seen, as numbers.
    """
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
def update_average(state: State, ema_decay: float) -> None:
    """Move the average towards the generator; early on, faster, so that the start is soon forgotten."""
    decay = min(ema_decay, state.step / (state.step + EMA_WARM_UP))
    for kept, new in zip(state.average.parameters(), state.generator.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def _autocast(config: Config, images: torch.Tensor) -> torch.autocast:
    precision = _precision(config, images)
    return torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


def _precision(config: Config, images: torch.Tensor) -> torch.dtype:
    height, width = images.shape[-2:]
    return pick_precision(config.precision, device=images.device, height=height, width=width)
