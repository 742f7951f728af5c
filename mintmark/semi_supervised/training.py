"""Training of a discriminator that classifies, on few labelled and many unlabelled images (Salimans et al. 2016).

The labelled images teach the classes. All images together teach what is real, beside those of a generator that matches
features; so the unlabelled ones move the classifier too. One small record a step; knows nothing of files, logging or
length. Randomness comes from the seed and lives in the state.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import nn
from torch.nn import functional
from torch.nn.utils import get_total_norm

from mintmark.classify.augmentation import bend
from mintmark.devices import pick_precision
from mintmark.errors import BadInput
from mintmark.gan.batches import BalancedSampler
from mintmark.semi_supervised.losses import (
    agreement,
    conditional_entropy,
    feature_matching,
    pull_away,
    real_or_fake,
)
from mintmark.semi_supervised.networks import ClassDiscriminator, ConvolutionalGenerator, DenseGenerator
from mintmark.semi_supervised.recipe import Recipe

EMA_WARM_UP = 10  # the average trusts the present by 9/10 at first, and reaches `ema_decay` as steps go by
Images = Float[torch.Tensor, "n channels height width"]


@dataclass(kw_only=True, slots=True)
class State:
    """Everything that the next step depends on, beside the data and the recipe.

    Attributes:
        average: The exponential moving average of the discriminator's weights; this is the network to keep.
        rng: A CPU generator, the only source of randomness.
        step: How many steps were taken.
    """

    generator: DenseGenerator | ConvolutionalGenerator
    discriminator: ClassDiscriminator
    average: ClassDiscriminator
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    rng: torch.Generator
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step saw.

    Attributes:
        number: 1 after the first step.
        supervised_loss: Cross-entropy on the labelled images.
        adversarial_loss: Of the judgement real or generated, not weighted; 0 without a GAN.
        matching_loss: The generator's; 0 without a GAN.
        state: The live state after the step, not a copy.
    """

    number: int
    supervised_loss: float
    adversarial_loss: float
    matching_loss: float
    state: State


def initial_state(
    shape: tuple[int, int, int], *, num_classes: int, recipe: Recipe, seed: int, device: torch.device
) -> State:
    """Fresh networks and optimisers, the same on every device, drawn from the seed."""
    make = DenseGenerator if recipe.form == "dense" else ConvolutionalGenerator
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = make(shape=shape, latent_size=recipe.latent_size, width=recipe.generator_width)
        discriminator = ClassDiscriminator(
            shape=shape,
            num_classes=num_classes,
            width=recipe.discriminator_width,
            form=recipe.form,
            input_noise=recipe.input_noise,
            hidden_noise=recipe.hidden_noise,
        )
    generator, discriminator = generator.to(device), discriminator.to(device)
    return State(
        generator=generator,
        discriminator=discriminator,
        average=copy.deepcopy(discriminator).requires_grad_(requires_grad=False),
        generator_optimizer=_adam(generator, recipe),
        discriminator_optimizer=_adam(discriminator, recipe),
        rng=torch.Generator().manual_seed(seed),
        step=0,
    )


def train(
    images: Images,
    codes: Int64[torch.Tensor, " n"],
    *,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    state: State | None = None,
) -> Iterator[Step]:
    """Take the steps that are left of the recipe, one update of each player a step.

    Args:
        images: Pixels in [-1, 1], on the device that trains.
        codes: Their classes, 0 to `num_classes` - 1, or -1 for an unlabelled image. Labelled images are among those
            that teach what is real.
        num_classes: How many classes there are; each has a labelled image.
        recipe: The recipe.
        seed: Where weights and draws come from; without effect where `state` is given.
        state: Where to go on from; None to start afresh.

    Raises:
        BadInput: no image carries a label.
        ValueError: a class has no labelled image, or a code lies outside the classes.
        FloatingPointError: a loss or gradient is not finite; the weights are those from before that update.
    """
    labelled = codes >= 0
    if not bool(labelled.any()):
        raise BadInput("training records: expected at least one with a label, got none")
    sampler = BalancedSampler(images[labelled], codes[labelled].cpu(), num_classes)
    if state is None:
        _, channels, height, width = images.shape
        state = initial_state(
            (height, width, channels), num_classes=num_classes, recipe=recipe, seed=seed, device=images.device
        )
    while state.step < recipe.steps:
        yield _step(state, sampler, images, recipe)


def _step(state: State, sampler: BalancedSampler, images: Images, recipe: Recipe) -> Step:
    _set_learning_rate(state, recipe)
    labelled, plain = sampler.draw(recipe.labelled_batch_size, rng=state.rng), _draw(images, recipe, state.rng)
    parts = [bend(part, recipe.augmentation, generator=state.rng) for part in (labelled.images, plain)]
    with _autocast(recipe, images):
        if recipe.adversarial_weight > 0:
            parts.append(state.generator(_latents(state, recipe, images.device)).float())
        features = state.discriminator.features(torch.cat(parts), rng=state.rng)
        logits = state.discriminator.head(features).float()
    sizes = [len(part) for part in parts]
    losses, total = _discriminator_loss(logits.split(sizes), labelled.codes, plain, state, recipe)
    # both players' gradients come from one pass, each with respect to its own weights alone
    with_gan = recipe.adversarial_weight > 0
    gradients = torch.autograd.grad(total, list(state.discriminator.parameters()), retain_graph=with_gan)
    matching = total.new_zeros(())
    if with_gan:
        matching, further = _generator_losses(features.float().split(sizes)[1:], recipe)
        gradients += torch.autograd.grad(matching + further, list(state.generator.parameters()))
    supervised, adversarial, matched = _seen(torch.stack([*losses, matching]).detach(), gradients, state.step + 1)
    _apply(state, gradients)
    state.step += 1
    _update_average(state, recipe.ema_decay)
    return Step(
        number=state.step,
        supervised_loss=supervised,
        adversarial_loss=adversarial,
        matching_loss=matched,
        state=state,
    )


def _generator_losses(
    features: Sequence[torch.Tensor], recipe: Recipe
) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, ""]]:
    """The matching loss of (real, fake) features, and the weighted sum of the further terms."""
    real, fake = features
    matching = feature_matching(real.detach(), fake)
    if recipe.pull_away_weight == 0:
        return matching, matching.new_zeros(())
    return matching, recipe.pull_away_weight * pull_away(fake)


def _discriminator_loss(
    logits: Sequence[torch.Tensor], codes: torch.Tensor, plain: Images, state: State, recipe: Recipe
) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The supervised and the adversarial loss, and the weighted sum of all terms.

    Args:
        logits: Of labelled, real and, with a GAN, fake images.
        codes: Of the labelled images.
        plain: The real images before they were bent.
        state: Whose average is the teacher of consistency.
        recipe: The weights.
    """
    of_labelled, real, *fake = logits
    supervised = functional.cross_entropy(of_labelled, codes)
    adversarial = real_or_fake(real, fake[0]) if fake else torch.zeros_like(supervised)
    total = supervised + recipe.adversarial_weight * adversarial
    if recipe.conditional_entropy_weight > 0:
        total = total + recipe.conditional_entropy_weight * conditional_entropy(real)
    if recipe.consistency_weight > 0:
        with torch.no_grad(), _autocast(recipe, plain):
            believed = state.average(plain).float()
        total = total + recipe.consistency_weight * _ramp(state.step, recipe) * agreement(real, believed)
    return (supervised, adversarial), total


def _seen(losses: torch.Tensor, gradients: Sequence[torch.Tensor], number: int) -> list[float]:
    """The losses as numbers, where they and the gradients are finite."""
    *values, norm = torch.cat([losses, get_total_norm(gradients)[None]]).tolist()  # one wait for the device
    if not all(math.isfinite(value) for value in (*values, norm)):
        raise FloatingPointError(
            f"step {number}: losses and gradient must be finite, got {values} and a norm of {norm}"
        )
    return values


def _apply(state: State, gradients: Sequence[torch.Tensor]) -> None:
    """Update the discriminator and, where there are gradients left, the generator."""
    ours = list(state.discriminator.parameters())
    theirs = list(state.generator.parameters())[: len(gradients) - len(ours)]
    for parameter, gradient in zip([*ours, *theirs], gradients, strict=True):
        parameter.grad = gradient
    state.discriminator_optimizer.step()
    if theirs:
        state.generator_optimizer.step()


def _set_learning_rate(state: State, recipe: Recipe) -> None:
    """As it is over the first half of the steps, then down to nothing along a line."""
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * min(1.0, 2 * (1 - state.step / recipe.steps))


def _ramp(step: int, recipe: Recipe) -> float:
    """From 0 to 1 over the first fifth of the steps: the average must learn before it teaches (Laine and Aila 2017)."""
    progress = min(1.0, 5 * step / recipe.steps)
    return math.exp(-5 * (1 - progress) ** 2)


def _draw(images: Images, recipe: Recipe, rng: torch.Generator) -> Float[torch.Tensor, "batch channels height width"]:
    """Any images, with replacement."""
    return images[torch.randint(len(images), (recipe.batch_size,), generator=rng).to(images.device)]


def _latents(state: State, recipe: Recipe, device: torch.device) -> Float[torch.Tensor, "n latent"]:
    return torch.randn((recipe.batch_size, recipe.latent_size), generator=state.rng).to(device)


@torch.no_grad()
def _update_average(state: State, ema_decay: float) -> None:
    """Move the average towards the discriminator; early on, faster, so that the start is soon forgotten."""
    decay = min(ema_decay, state.step / (state.step + EMA_WARM_UP))
    for kept, new in zip(state.average.parameters(), state.discriminator.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def _adam(network: nn.Module, recipe: Recipe) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, betas=(recipe.beta1, 0.999), fused=True)


def _autocast(recipe: Recipe, images: torch.Tensor) -> torch.autocast:
    height, width = images.shape[-2:]
    precision = pick_precision(recipe.precision, device=images.device, height=height, width=width)
    return torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)
